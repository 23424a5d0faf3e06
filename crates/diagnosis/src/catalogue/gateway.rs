//! Texts of the categories D, E, G, H and N: the gateway, its configuration and what writes it.

use super::Texts;

texts! {
    EmptyPool {
        shows: "Clients get 502 for some hosts or paths, at once. Backend health lists the pool \
            without servers, and the access log has no `serverRouted`.",
        decides: "In `gateway.json` the pool that the rule leads to has no addresses and no \
            network interfaces, and `backend-health.json` has no servers of it. If only paths \
            without a path rule go there, it is GW-E03; if there is no pool at all, GW-D02; \
            servers that are listed and Unhealthy have another cause.",
        mends: "The gateway's owner puts servers into the pool: `az network application-gateway \
            address-pool update -g RG --gateway-name GATEWAY -n POOL --servers ADDRESS` Where a \
            Kubernetes controller writes the gateway, the ingress needs a service with ready \
            endpoints, since an edit by az is reverted: `kubectl get ingress,endpoints -A`",
    }
    NoPool {
        shows: "Every request gets 502, and backend health is an empty list.",
        decides: "`backendAddressPools` in `gateway.json` is empty. If pools exist and one of them \
            has no servers, it is GW-D01. An empty list of health alone may also mean that whoever \
            asked may not see the resources of the pool.",
        mends: "The gateway's owner makes a pool, and has the rules use it: `az network \
            application-gateway address-pool create -g RG --gateway-name GATEWAY -n POOL --servers \
            ADDRESS` Then: `az network application-gateway rule update -g RG --gateway-name \
            GATEWAY -n RULE --address-pool POOL`",
    }
    ListenerPort {
        shows: "Clients cannot connect: the connection times out, and the access log has no row. \
            Other ports of the same address work.",
        decides: "The ports of `gateway.json` that a listener with a rule uses do not include the \
            one in `observations.json` that clients connect to. If a listener is there and a rule \
            of `nsgs.json` denies clients its port, the subnet's security group is at fault and no \
            listener is missing. If the host is not known, an answer comes: GW-E05.",
        mends: "The gateway's owner makes the port and a listener and a rule for it: `az network \
            application-gateway frontend-port create -g RG --gateway-name GATEWAY -n PORT-NAME \
            --port PORT` Then: `az network application-gateway http-listener create -g RG \
            --gateway-name GATEWAY -n LISTENER --frontend-port PORT-NAME` Then: `az network \
            application-gateway rule create -g RG --gateway-name GATEWAY -n RULE --priority \
            PRIORITY --http-listener LISTENER --address-pool POOL --http-settings SETTING`",
    }
    MissingPathRule {
        shows: "Clients get 404 of the wrong backend for some paths, while servers are healthy. In \
            the access log these requests have the path map's default pool.",
        decides: "In `gateway.json` no path rule matches the path in `access-logs.json`, whose \
            `serverStatus` is 404. A pattern without `*` is for one path alone: `/api` is not for \
            `/api/orders`. If the default pool cannot answer at all, it is GW-E03; if the path is \
            replaced on the way, GW-B10. Where others below the same first part are answered, it \
            is a page that is missing.",
        mends: "The gateway's owner adds a path rule: `az network application-gateway url-path-map \
            rule create -g RG --gateway-name GATEWAY --path-map-name MAP -n NAME --paths '/PATH/*' \
            --address-pool POOL --http-settings SETTING`",
    }
    UnmatchedPathDefaultBackend {
        shows: "Clients get 502 for some paths and good answers for others of the same host. The \
            access log has the default pool and no `serverRouted` for those that fail.",
        decides: "In `gateway.json` the default pool of the path map has no servers, and no path \
            rule matches the path in `access-logs.json`. A pattern without `*` at its end does not \
            take what lies below it. If the default pool answers with 404, it is GW-E02; if a rule \
            without a path map leads to an empty pool, GW-D01.",
        mends: "The gateway's owner adds a pattern for these paths: `az network \
            application-gateway url-path-map rule create -g RG --gateway-name GATEWAY \
            --path-map-name MAP -n NAME --paths '/PATH/*' --address-pool POOL --http-settings \
            SETTING` Or gives the map a default pool with servers: `az network application-gateway \
            url-path-map update -g RG --gateway-name GATEWAY -n MAP --default-address-pool POOL \
            --default-http-settings SETTING`",
    }
    RuleOrder {
        shows: "Requests for one host are answered by the backend of another rule, or with its \
            errors. In the access log `ruleName` is not the rule that one expects.",
        decides: "In `gateway.json` a rule with a lower `priority` number has a listener for any \
            host, or a wildcard that takes this host; the lowest number is tried first on v2, the \
            order of the list on v1. Path rules are tried in the listed order, whatever is longer. \
            Where no log shows what became of requests, the configuration alone speaks for it. If \
            no listener takes the host, it is GW-E05; if no path rule takes the path, GW-E02.",
        mends: "The gateway's owner gives the exact listener's rule a lower number than the \
            general one: `az network application-gateway rule update -g RG --gateway-name GATEWAY \
            -n RULE --priority PRIORITY` For path rules, the specific one must stand first in the \
            path map. A Kubernetes controller puts them into the order of the names of their \
            ingresses: there the specific path needs an ingress of its own, whose name comes \
            first.",
    }
    HostNotMatched {
        shows: "Clients of a v2 gateway get 404 at once, and in HTTPS perhaps the certificate of \
            another site. The access log has `ERRORINFO_INVALID_HOST` or an empty `serverStatus`.",
        decides: "`originalHost` in `access-logs.json` is none of the hosts of the listeners in \
            `gateway.json`, and no listener is for any host. If the 404 has a `serverStatus`, a \
            backend sent it: GW-E02 or GW-I01. If another listener takes the host, it is GW-E04. A \
            few such requests among many that are answered are those of scanners, and no cause.",
        mends: "The gateway's owner adds the host to a listener, naming those that it has already: \
            `az network application-gateway http-listener update -g RG --gateway-name GATEWAY -n \
            LISTENER --host-names OLD-HOST NEW-HOST`",
    }
    Stopped {
        shows: "Every request fails, and backend health shows nothing. The gateway's state is \
            Stopped.",
        decides: "`operationalState` in `gateway.json` decides alone: nothing else can be judged \
            while the gateway is stopped. Starting and Stopping are GW-G06; a Failed \
            `provisioningState` does not stop traffic, see GW-G05.",
        mends: "The gateway's owner starts it, which takes some minutes; a v1 gateway may get \
            another public address: `az network application-gateway start -g RG -n GATEWAY`",
    }
    PutFailedKeyVaultDenied {
        shows: "A change fails with `ApplicationGatewayKeyVaultSecretException`, and \
            `provisioningState` is Failed. The configuration before it goes on serving.",
        decides: "`last-error.json` says that access to the secret is denied, and `gateway.json` \
            has the identity that is used. If `keyvault.json` shows that the vault's firewall \
            keeps the gateway out, or the secret is not there, it is GW-P01. A certificate that \
            was read and is no good is GW-G03.",
        mends: "The vault's owner lets the gateway's identity read secrets: `az keyvault \
            set-policy --name VAULT --object-id PRINCIPAL-ID --secret-permissions get` Where the \
            vault uses roles: `az role assignment create --role 'Key Vault Secrets User' \
            --assignee PRINCIPAL-ID --scope VAULT-ID` Then the gateway's owner repeats the change: \
            `az network application-gateway update -g RG -n GATEWAY`",
    }
    PutFailedCert {
        shows: "A change fails with a code that names a certificate, and `provisioningState` is \
            Failed. The configuration before it goes on serving.",
        decides: "`last-error.json` has the code and names the certificate: a wrong password, a \
            file that is too large or no PFX, or data that is no certificate. If it could not be \
            fetched from the vault, it is GW-G02 or GW-P01. Backends whose certificates are not \
            accepted fail probes, not changes: see GW-F02.",
        mends: "The owner of the certificate makes a PFX with key and chain; then the gateway's \
            owner uploads it: `az network application-gateway ssl-cert update -g RG --gateway-name \
            GATEWAY -n CERT --cert-file site.pfx --cert-password PASSWORD` See what a file holds: \
            `openssl pkcs12 -in site.pfx -info -nokeys`",
    }
    PutFailedReference {
        shows: "A change fails with `InvalidResourceReference` or a code that names two parts \
            which do not fit. The configuration before it goes on serving.",
        decides: "`last-error.json` has the code and the id that is not there; `gateway.json` and \
            `previous-gateway.json` show what was taken away. Codes about certificates are GW-G03, \
            about the subnet's rules GW-C03 or GW-M01. A code that says none of this is GW-G05.",
        mends: "The gateway's owner corrects the reference and repeats the change. A file can be \
            checked for such references before it is sent: `gatewright validate gateway.json`",
    }
    PutFailedUnknown {
        shows: "`provisioningState` is Failed, and nothing tells why. What was configured before \
            the change goes on serving, so requests that fail have another cause.",
        decides: "Only `last-error.json` says why a change failed; `gateway.json` shows no more \
            than that it did. With the error it becomes GW-G02, GW-G03, GW-G04 or GW-C03. A change \
            that has not ended is GW-G06.",
        mends: "The gateway's owner finds the failed operation: `az monitor activity-log list -g \
            RG --status Failed --offset 7d -o json` Then writes the gateway again without a \
            change, which often ends the state: `az network application-gateway update -g RG -n \
            GATEWAY` If it fails again, the last change has to be taken back.",
    }
    Transitioning {
        shows: "Requests fail or succeed by turns for some minutes. The state of the gateway is \
            Starting, Stopping or Updating.",
        decides: "`operationalState` and `provisioningState` in `gateway.json` decide. If it is \
            stopped for good, it is GW-G01; if only the configuration lags behind while requests \
            are served, GW-N04. An update that takes more than an hour fails, and becomes GW-G05.",
        mends: "Nobody has to mend it: wait one or two minutes for a start, longer for a change, \
            and look again: `az network application-gateway wait -g RG -n GATEWAY --updated`",
    }
    AutoscaleMax {
        shows: "Some requests get 502 while servers are healthy, most of all at the busiest times. \
            Capacity units stay at the same height while failed requests rise.",
        decides: "`metrics.json` has CapacityUnits near ten for each instance of `maxCapacity` in \
            `gateway.json`, together with FailedRequests. If UnhealthyHostCount is above zero \
            meanwhile, the servers are the cause. Without autoscaling it is GW-H02; if the \
            backends send the errors, GW-O01.",
        mends: "The gateway's owner lets it grow further, up to 125 instances: `az network \
            application-gateway update -g RG -n GATEWAY --max-capacity INSTANCES` More instances \
            cost more, and need addresses in the subnet.",
    }
    FixedCapacity {
        shows: "Some requests get 502 or take long while servers are healthy, most of all at the \
            busiest times. The number of instances never changes.",
        decides: "`gateway.json` has `sku.capacity` and no `autoscaleConfiguration`, and \
            `metrics.json` has CapacityUnits near ten for each instance, together with \
            FailedRequests. With autoscaling it is GW-H01. If UnhealthyHostCount is above zero \
            meanwhile, the servers are the cause.",
        mends: "The gateway's owner gives it more instances: `az network application-gateway \
            update -g RG -n GATEWAY --capacity INSTANCES` Or lets a v2 gateway grow by itself: `az \
            network application-gateway update -g RG -n GATEWAY --min-capacity 2 --max-capacity \
            INSTANCES`",
    }
    StaleBackendTargets {
        shows: "Servers of the pool are Unhealthy, or part of the requests get 502, with addresses \
            that nobody knows any more. It often begins after pods or instances were replaced.",
        decides: "`k8s-endpoints.json` or `vmss-instances.json` has other addresses than the pool \
            in `gateway.json` or `backend-health.json`. If the addresses come and go within \
            minutes, it is GW-N02; if the pool holds a name, GW-K02. If the addresses are right \
            and nothing answers, it is GW-A01.",
        mends: "Where a Kubernetes controller writes the gateway, its owner has it write anew, \
            since an edit by az is reverted: `kubectl rollout restart deployment -n kube-system \
            ingress-appgw-deployment` Where its log says that a pool is blacklisted, a prohibited \
            target keeps it off: `kubectl get azureingressprohibitedtargets -A` Otherwise the \
            gateway's owner corrects the pool: `az network \
            application-gateway address-pool update -g RG --gateway-name GATEWAY -n POOL --servers \
            ADDRESS`",
    }
    BackendChurnDuringDeploy {
        shows: "Requests get 502 for seconds or minutes during a deployment, and then no more. \
            Health changes between Healthy and Unhealthy meanwhile.",
        decides: "`access-logs.json` has failures in the time of the deployment only, to addresses \
            that `k8s-endpoints.json` does not have afterwards; `controller-log.txt` shows the \
            pool written later than the pods went. If the addresses stay wrong, it is GW-N01; if \
            connections are closed without a deployment, GW-O03.",
        mends: "The backend's owner lets servers go slowly: new ones ready first, old ones kept \
            until the pool is written. In Kubernetes, with a readiness probe and a wait before the \
            end: `kubectl patch deployment NAME -n NAMESPACE --patch-file prestop.yaml` The \
            gateway's owner drains connections: `az network application-gateway http-settings \
            update -g RG --gateway-name GATEWAY -n SETTING --connection-draining-timeout 60`",
    }
    VmssModelNotApplied {
        shows: "The pool of a scale set is empty or lacks instances, or some instances are \
            Unhealthy, though the scale set's model is right.",
        decides: "`vmss-instances.json` has instances whose `latestModelApplied` is false, so that \
            their network interfaces do not have what the model says; the pool in `gateway.json` \
            lacks them. If all have the latest model and the pool has other addresses, it is \
            GW-N01; a pool that nobody was put into is GW-D01. It also shows where just the \
            instances without the latest model are Unhealthy: their ids are in the ids of the \
            servers' addresses in `backend-health.json`. If an instance with the latest model \
            fails as well, it is something else.",
        mends: "The scale set's owner brings the instances to the latest model, which may restart \
            them: `az vmss update-instances -g RG -n SCALE-SET --instance-ids 0 1`",
    }
    UpdateInProgressConfigNotLive {
        shows: "A change is shown, and requests are still served as before it. `provisioningState` \
            is Updating, on the gateway or a part of it.",
        decides: "`gateway.json` has the state, and `previous-gateway.json` what still serves; \
            `access-logs.json` shows by whom requests are answered. If it never ends or fails, it \
            is GW-G05. If the change is gone afterwards, another writer took it back: GW-N05.",
        mends: "Nobody has to mend it: wait for the change to end before anything else is changed \
            or judged: `az network application-gateway wait -g RG -n GATEWAY --updated`",
    }
    ConfigOverwritten {
        shows: "A change was made, worked for a while, and is gone. Errors that were mended come \
            back.",
        decides: "`previous-gateway.json` has what `gateway.json` lacks, and the tag \
            `managed-by-k8s-ingress` or `controller-log.txt` names the other writer. Pipelines \
            that write the whole gateway do the same, and an older api-version drops what it does \
            not know. If the change is shown and does not serve yet, it is GW-N04; if it failed, \
            GW-G05.",
        mends: "The owner of the other writer puts the change where that one takes it from: the \
            ingress, the template or the script. For a Kubernetes controller: `kubectl edit \
            ingress INGRESS -n NAMESPACE` See who wrote: `az monitor activity-log list \
            --resource-id GATEWAY-ID --offset 7d --query '[].{time:eventTimestamp, who:caller, \
            what:operationName.value}' -o table`",
    }
}
