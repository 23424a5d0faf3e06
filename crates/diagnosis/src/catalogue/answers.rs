//! Texts of the categories B, I and O: what backends answer, to probes and to live requests.

use super::Texts;

texts! {
    Probe404 {
        shows: "Backend health says Unhealthy: the status code did not match, received 404. The \
            server is reached and answers; clients get 502 once no other server of the pool is \
            healthy.",
        decides: "The message in `backend-health.json` has the status, and the probe in \
            `gateway.json` the path. If a fitting probe exists that nobody refers to, it is \
            GW-B08; if the backend answers another host, it is GW-B09; for API Management, GW-B11.",
        mends: "The gateway's owner probes a path that is there: `az network application-gateway \
            probe update -g RG --gateway-name GATEWAY -n PROBE --path PATH` Or the backend's owner \
            has the path answered with 200. Ask as the probe does: `curl -isk -H 'Host: HOST' \
            http://ADDRESS:PORT/PATH`",
    }
    Probe401 {
        shows: "Backend health says Unhealthy: the status code did not match, received 401. Users \
            who log in get their pages when they ask the server directly.",
        decides: "The status in `backend-health.json` decides. A 403 is GW-B03, or GW-I02 for an \
            App Service.",
        mends: "The gateway's owner counts 401 as healthy, which a server that is well answers \
            without credentials: `az network application-gateway probe update -g RG --gateway-name \
            GATEWAY -n PROBE --match-status-codes 200-399 401` Better, the backend's owner offers \
            a page for probes that needs no credentials.",
    }
    Probe403 {
        shows: "Backend health says Unhealthy: the status code did not match, received 403. The \
            server itself refuses the page, or the address that asks.",
        decides: "The status in `backend-health.json` decides, with what the backend is: \
            `webapp.json` with access restrictions makes it GW-I02, the name of a storage account, \
            a vault or another platform service GW-I03. A 401 is GW-B02.",
        mends: "The backend's owner allows the path for the gateway's subnet (nginx: look for \
            `deny` and `auth`): `grep -rnE 'deny|allow|auth' /etc/nginx` Or the gateway's owner \
            probes a path that is allowed: `az network application-gateway probe update -g RG \
            --gateway-name GATEWAY -n PROBE --path PATH`",
    }
    ProbeRedirect {
        shows: "Backend health says Unhealthy: the status code did not match, received 301, 302, \
            307 or 308. The gateway does not follow redirects of probes.",
        decides: "`backend-health.json` has the status, and the probe's match in `gateway.json` \
            does not have it; the match that counts without one is 200-399, which takes redirects. \
            `observations.json` may show where the redirect leads: to HTTPS, to a login, or to \
            another host. A redirect that comes of the probe's host is GW-B09.",
        mends: "The gateway's owner probes what is answered with 200, or with HTTPS if that is \
            where it leads; or counts redirects as healthy: `az network application-gateway probe \
            update -g RG --gateway-name GATEWAY -n PROBE --match-status-codes 200-399`",
    }
    Probe5xx {
        shows: "Backend health says Unhealthy: the status code did not match, received 500, 502 or \
            503. The server is reached; the application behind it fails.",
        decides: "The status in `backend-health.json` decides. If servers are healthy and only \
            live requests get 5xx from the backend, it is GW-O01. A 503 while a deployment runs is \
            GW-N02.",
        mends: "The backend's owner looks into the application's log, and repairs it or what it \
            depends on. Ask as the probe does: `curl -isk -H 'Host: HOST' \
            http://ADDRESS:PORT/PATH`",
    }
    BodyMismatch {
        shows: "Backend health says Unhealthy: the body did not match the probe setting. The \
            status of the answer is right.",
        decides: "The message in `backend-health.json` names the text, and `match.body` of the \
            probe in `gateway.json` has it. It is a plain part of the page, without wildcards, and \
            letter case counts. A page that is not the expected one at all has the causes of \
            GW-B01 and GW-B09.",
        mends: "The gateway's owner looks for a text that the page has, or for none: `az network \
            application-gateway probe update -g RG --gateway-name GATEWAY -n PROBE --set \
            match.body=''` Or the backend's owner puts the text back into the page.",
    }
    ProbeTimeoutTooShort {
        shows: "Backend health says Unhealthy: the time that the backend took is more than the \
            probe's timeout. A blocked connection can read the same, so reach comes first.",
        decides: "`observations.json` has the port open, or an answer that took longer than the \
            timeout in `gateway.json`; `access-logs.json` may have live answers that took as long. \
            Where the port cannot be reached it is GW-A03 or GW-A06, and a longer timeout mends \
            nothing. Live requests that run out of time are GW-O02.",
        mends: "The gateway's owner lets the probe wait longer; the default probe cannot be \
            changed, so it may need one of its own: `az network application-gateway probe update \
            -g RG --gateway-name GATEWAY -n PROBE --timeout 120 --interval 120` Better, the \
            backend's owner offers a page for probes that is answered at once.",
    }
    ProbeNotAttached {
        shows: "Backend health says Unhealthy with 404, 401 or another status of the path `/`, \
            though a probe with the right path was made. The report shows what the default probe \
            gets.",
        decides: "In `gateway.json` the backend setting has no `probe`, and a probe with another \
            path than `/` is referred to by no setting. If there is no such probe, it is GW-B01 or \
            GW-B09.",
        mends: "The gateway's owner has the setting use the probe: `az network application-gateway \
            http-settings update -g RG --gateway-name GATEWAY -n SETTING --probe PROBE`",
    }
    DefaultProbeHost {
        shows: "Backend health says Unhealthy with 400, 404, 421 or a redirect. The same page is \
            answered well when it is asked for by the site's name.",
        decides: "In `gateway.json` neither the probe nor the backend setting has a host, so that \
            probes ask for 127.0.0.1; `observations.json` has a good answer for another host, or \
            the backend is a shared one such as an App Service. If the page is missing for every \
            host it is GW-B01.",
        mends: "The gateway's owner gives the setting the host, by the pool's name: `az network \
            application-gateway http-settings update -g RG --gateway-name GATEWAY -n SETTING \
            --host-name-from-backend-pool true` Or a fixed one: `az network application-gateway \
            http-settings update -g RG --gateway-name GATEWAY -n SETTING --host-name HOST` Live \
            requests ask for that host too.",
    }
    BackendPath {
        shows: "Clients get 404 from the backend though its pages are there, and servers are \
            healthy. In the access log `serverStatus` is 404.",
        decides: "The setting in `gateway.json` has a `path`, which stands in place of the part of \
            the path that the rule matched; `access-logs.json` shows the path that clients asked \
            for, and no request by the setting that is answered meanwhile. On a basic rule the \
            path stands before all that clients ask for: who asks for `/app/login` then gets \
            `/app/app/login`. Without such a path, GW-E02 and GW-E03 lead to 404 as well.",
        mends: "The gateway's owner takes the path away, or makes it the one that the backend has: \
            `az network application-gateway http-settings update -g RG --gateway-name GATEWAY -n \
            SETTING --path ''`",
    }
    ApimProbePath {
        shows: "Backend health says Unhealthy with 404, while API Management answers its APIs. The \
            default probe asks for `/`, which it does not have.",
        decides: "The member's name or the probe's host in `gateway.json` is one of API \
            Management, and the probe's path is another. For other backends a 404 is GW-B01.",
        mends: "The gateway's owner probes the path that is made for this: `az network \
            application-gateway probe update -g RG --gateway-name GATEWAY -n PROBE --path \
            /status-0123456789abcdef`",
    }
    AppServiceHostHeader {
        shows: "Servers are healthy, and clients get 404 or 502. The access log has the client's \
            own host name in `host`, and the backend's status in `serverStatus`.",
        decides: "In `gateway.json` the setting passes the client's host, or has a `hostName`, \
            which is not among `hostNames` of `webapp.json`, while the probe asks for one that is. \
            If the probe fails too, it is GW-B09 or a cause of the certificate such as GW-F01. A \
            403 is GW-I02. Where the log has good answers for that host, it is the page alone.",
        mends: "The gateway's owner has requests ask for the pool's own name: `az network \
            application-gateway http-settings update -g RG --gateway-name GATEWAY -n SETTING \
            --host-name-from-backend-pool true` Redirects and cookies of the application may then \
            name its own host. To keep the client's host, the application's owner binds it: `az \
            webapp config hostname add -g RG --webapp-name APP --hostname HOST`",
    }
    AppServiceAccessRestriction {
        shows: "Backend health says Unhealthy: the status code did not match, received 403; or \
            servers are healthy and clients get 403. Asked from an address that is allowed, the \
            application answers.",
        decides: "`webapp.json` has `ipSecurityRestrictions` or a default action that deny the \
            gateway: its public address for a public App Service, its subnet with a service \
            endpoint. Without them a 403 is the application's own, GW-B03.",
        mends: "The application's owner lets the gateway's subnet in: `az webapp config \
            access-restriction add -g RG -n APP --rule-name appgw --action Allow --priority 100 \
            --subnet SUBNET-ID` Everything else in that subnet gets in too.",
    }
    PaasAccessRestriction {
        shows: "Backend health says Unhealthy: the status code did not match, received 403. The \
            backend is a storage account, a vault or another service of the platform.",
        decides: "The member's name in `gateway.json` is one of the platform's, and \
            `backend-health.json` has 403; `observations.json` may show that the service answers \
            from an address that is allowed. For an App Service it is GW-I02; if the gateway \
            should have come by a private address, it is GW-K03.",
        mends: "The service's owner lets the gateway's subnet in, or gives the service a private \
            endpoint. For storage: `az storage account network-rule add -g RG --account-name \
            ACCOUNT --subnet SUBNET-ID`",
    }
    Backend5xxRelayed {
        shows: "Clients get 500, 502 or 503 while servers are healthy. In the access log \
            `serverStatus` is the same as `httpStatus`, and `serverRouted` names the server.",
        decides: "The two equal statuses in `access-logs.json` decide. If `serverStatus` is empty, \
            the gateway made the error itself: GW-O02 if the time ran out, GW-O03 if the \
            connection was closed. If the probe gets the error as well, it is GW-B05.",
        mends: "The backend's owner looks into the application's log for the time of these \
            requests; nothing at the gateway mends it. Ask the server directly: `curl -isk -H \
            'Host: HOST' http://ADDRESS:PORT/PATH`",
    }
    RequestTimeout {
        shows: "Clients get 504 on a v2 gateway and 502 on a v1 gateway, after as long as the \
            setting's `requestTimeout`. In the access log `timeTaken` is about that time, and \
            `error_info` is `ERRORINFO_UPSTREAM_TIMED_OUT`.",
        decides: "`access-logs.json` has the times, and `gateway.json` the setting's timeout. A v2 \
            gateway tries a second server first, so the whole may take twice as long. If no \
            connection is made, look at GW-A03; if only probes are late, it is GW-B07. A 504 that \
            the backend sent itself is GW-O01.",
        mends: "The backend's owner finds out what is slow. Meanwhile the gateway's owner waits \
            longer: `az network application-gateway http-settings update -g RG --gateway-name \
            GATEWAY -n SETTING --timeout SECONDS` Where a Kubernetes controller writes the \
            gateway, the ingress gets the annotation `appgw.ingress.kubernetes.io/request-timeout` \
            instead: `kubectl edit ingress INGRESS -n NAMESPACE`",
    }
    KeepaliveRace {
        shows: "A few requests among many get 502 at once, most often after quiet moments. In the \
            access log `error_info` is `ERRORINFO_UPSTREAM_CLOSED_CONNECTION`, and servers are \
            healthy.",
        decides: "`observations.json` has the time for which the backend keeps idle connections, \
            which is short, and `access-logs.json` has requests whose connection was closed. If \
            all requests to a server fail so, it crashes or speaks another protocol: see GW-B05 \
            and GW-L01. Closed connections during a deployment are GW-N02.",
        mends: "The backend's owner keeps idle connections longer than the gateway uses them. For \
            nginx: `keepalive_timeout 75s;` See what it is now: `grep -rn keepalive_timeout \
            /etc/nginx`",
    }
    BrokenAnswer {
        shows: "Clients get 502 at once, on requests or on all. Gatewright's own access log and \
            `gatewright why` say that the server closed the connection without an answer or within \
            it, or that its answer is not valid HTTP/1.1; backend health says so too where probes \
            fail alike.",
        decides: "What a node saw of the connection decides: `access-logs.json` of a node's own \
            evidence has it, and `gatewright why TRACE-ID` tells it. On a \
            connection that was used before, a close is GW-O03; a whole answer with an error is \
            GW-O01; a close within the TLS handshake is GW-L01.",
        mends: "The backend's owner looks into its log for the time of the request: it crashed, or \
            another protocol is spoken on that port. Ask as the gateway does: `curl -isk -H 'Host: \
            HOST' http://ADDRESS:PORT/PATH`",
    }
}
