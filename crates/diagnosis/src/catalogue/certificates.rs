//! Texts of the categories F, L and P: certificates and TLS.

use super::Texts;

texts! {
    CnSanMismatch {
        shows: "Backend health says Unhealthy: the Common Name of the leaf certificate does not \
            match the hostname of the probe or of the backend setting. Clients get 502.",
        decides: "The names in `certs/presented.pem` decide, against the host of the probe, then \
            of the setting, then of the pool in `gateway.json`; if the certificate has alternative \
            names, these alone count. If the right certificate comes only when a name is sent, it \
            is GW-F11; for an App Service without a binding, GW-F12; on v1, GW-F14; if probes are \
            well and live requests fail, GW-L02.",
        mends: "The owner of the certificate has it issued for the name that is asked for. Or the \
            gateway's owner asks for a name that is in it: `az network application-gateway \
            http-settings update -g RG --gateway-name GATEWAY -n SETTING --host-name NAME` The \
            server then gets that name as the host of every request. See the names: `openssl \
            s_client -connect ADDRESS:PORT -servername NAME </dev/null | openssl x509 -noout \
            -subject -ext subjectAltName`",
    }
    MissingTrustedRoot {
        shows: "Backend health says Unhealthy: the server certificate is not signed by a \
            well-known authority, and its root must be uploaded. Browsers inside the company may \
            accept the same certificate.",
        decides: "`certs/presented.pem` leads to a private root, and in `gateway.json` the setting \
            refers to no trusted root. If a fitting root is uploaded and not referred to, it is \
            GW-F07; if another one is referred to, GW-F09; if the intermediate certificates are \
            not sent, GW-F03; if there is no authority at all, GW-F10.",
        mends: "The gateway's owner uploads the root, in base64: `az network application-gateway \
            root-cert create -g RG --gateway-name GATEWAY -n ROOT --cert-file root.cer` Then has \
            the setting trust it: `az network application-gateway http-settings update -g RG \
            --gateway-name GATEWAY -n SETTING --root-certs ROOT`",
    }
    IncompleteChain {
        shows: "Backend health says Unhealthy: the intermediate certificate is missing from the \
            chain, or, in older releases, that the root does not match. Browsers may accept the \
            server, since they remember or fetch intermediate certificates.",
        decides: "`certs/presented.pem` has the server's certificate alone, or lacks the one that \
            signed it, though the root is known. The message may speak of roots all the same: what \
            is presented counts. If the chain is whole, it is GW-F02 or GW-F09; if it is whole and \
            out of order, GW-F04.",
        mends: "The owner of the certificate has the server send it with the intermediate ones \
            behind it: `cat server.crt intermediate.crt > fullchain.pem` For nginx: \
            `ssl_certificate /etc/nginx/fullchain.pem;` See what is sent: `openssl s_client \
            -connect ADDRESS:PORT -servername NAME -showcerts </dev/null`",
    }
    ChainOrder {
        shows: "Backend health says Unhealthy: the leaf certificate is missing from the chain, or \
            is not the topmost one in it.",
        decides: "The order in `certs/presented.pem` decides: the server's own certificate must \
            come first, then the one that signed it, and so on. If one in between is missing, it \
            is GW-F03.",
        mends: "The owner of the certificate puts the file together in that order and has the \
            server load it: `cat server.crt intermediate.crt root.crt > fullchain.pem` See what is \
            sent: `openssl s_client -connect ADDRESS:PORT -servername NAME -showcerts </dev/null`",
    }
    Expired {
        shows: "Backend health says Unhealthy: the certificate is invalid, the current date is not \
            within its dates. All servers with the same certificate fail within one or two probe \
            intervals.",
        decides: "The dates of every certificate in `certs/presented.pem` decide, at the time of \
            the evidence; an intermediate certificate may be the one that expired, or, where all \
            of these are in date, the uploaded root. The message is the same for GW-F06. If the \
            file on the server is new, the server may not have loaded it.",
        mends: "The owner of the certificate renews it and has the server load it. See the dates: \
            `openssl s_client -connect ADDRESS:PORT -servername NAME </dev/null | openssl x509 \
            -noout -dates` For nginx, to load it: `sudo nginx -s reload`",
    }
    NotYetValid {
        shows: "Backend health says Unhealthy: the certificate is invalid, the current date is not \
            within its dates. It often follows a fresh certificate, or a clock that runs ahead at \
            the authority.",
        decides: "The dates of every certificate in `certs/presented.pem` decide: the first day of \
            one lies ahead of the time of the evidence. If the last day is over, it is GW-F05; the \
            message is the same.",
        mends: "The owner of the certificate goes back to the one before it until then, or has it \
            issued anew with the right clock. See the dates: `openssl s_client -connect \
            ADDRESS:PORT -servername NAME </dev/null | openssl x509 -noout -dates`",
    }
    TrustedRootNotAttached {
        shows: "Backend health says Unhealthy: the certificate is not signed by a well-known \
            authority. The list of trusted roots of the gateway shows the right one.",
        decides: "In `gateway.json` the root is among `trustedRootCertificates` of the gateway, \
            and the setting refers to none or to another; `certs/presented.pem` leads to it. If it \
            is not uploaded at all, it is GW-F02; if the one that the setting refers to is wrong, \
            GW-F09.",
        mends: "The gateway's owner has the setting refer to it; the setting must use Https: `az \
            network application-gateway http-settings update -g RG --gateway-name GATEWAY -n \
            SETTING --root-certs ROOT`",
    }
    RootNotACa {
        shows: "Backend health says Unhealthy: the certificate's validity could not be verified, \
            or no uploaded root signed it. Somebody uploaded the server's own certificate, or an \
            intermediate one, as root.",
        decides: "The uploaded certificate in `gateway.json` has no basic constraint that makes it \
            an authority, and no other one is uploaded, or `certs/presented.pem` leads to it. \
            If it is an authority and another one, it is GW-F09. A v1 gateway pins the server's \
            certificate instead: see GW-F13.",
        mends: "The gateway's owner uploads the root of the authority, or a self-signed \
            certificate that is made as an authority: `az network application-gateway root-cert \
            update -g RG --gateway-name GATEWAY -n ROOT --cert-file root.cer` See what a file \
            holds: `openssl x509 -in root.cer -noout -text`",
    }
    RootMismatch {
        shows: "Backend health says Unhealthy: the root certificate of the server certificate does \
            not match the one that was added to the gateway. It often begins when the authority or \
            the server's certificate was renewed.",
        decides: "`certs/presented.pem` leads to another root than the one in `gateway.json` that \
            the setting refers to; subject and key both count, since a renewed root may keep its \
            name. The message is also given for chains that are not whole, GW-F03. If no root is \
            referred to, it is GW-F02 or GW-F07.",
        mends: "The gateway's owner uploads the right root beside the old one: `az network \
            application-gateway root-cert create -g RG --gateway-name GATEWAY -n NEW-ROOT \
            --cert-file root.cer` Then has the setting trust both: `az network application-gateway \
            http-settings update -g RG --gateway-name GATEWAY -n SETTING --root-certs OLD-ROOT \
            NEW-ROOT`",
    }
    SelfSigned {
        shows: "Backend health says Unhealthy: the intermediate certificate is missing, or the \
            certificate is not signed by a well-known authority. The server presents one \
            certificate.",
        decides: "In `certs/presented.pem` subject and issuer of the only certificate are the \
            same, and its own key signed it. If another authority signed it, it is GW-F02 or \
            GW-F03; if it was uploaded and is no authority, GW-F08.",
        mends: "The owner of the certificate replaces it with one of an authority. Or the \
            gateway's owner uploads it as a root, if it is made as an authority: `az network \
            application-gateway root-cert create -g RG --gateway-name GATEWAY -n ROOT --cert-file \
            server.cer` Then: `az network application-gateway http-settings update -g RG \
            --gateway-name GATEWAY -n SETTING --root-certs ROOT`",
    }
    NoSni {
        shows: "Backend health says Unhealthy: the name does not match, though the right \
            certificate is installed. The server presents its default certificate to whoever sends \
            no name.",
        decides: "`certs/presented.pem`, asked for with the name, is right, and \
            `certs/presented-without-sni.pem` has other names; in `gateway.json` the name that is \
            used is an address, so none is sent. If both are for other names, it is GW-F01.",
        mends: "The gateway's owner gives the setting a host name, which is then sent: `az network \
            application-gateway http-settings update -g RG --gateway-name GATEWAY -n SETTING \
            --host-name NAME` Or the backend's owner makes this certificate the default one. For \
            nginx: `listen 443 ssl default_server;`",
    }
    AppServiceNoTlsBinding {
        shows: "Backend health says Unhealthy: the name does not match, since the App Service \
            presents the certificate of its own default name.",
        decides: "In `webapp.json` the host is among `hostNames`, and `hostNameSslStates` has it \
            without a certificate; `certs/presented.pem` is for the default name. If the host is \
            not bound at all, it is GW-I01; for other servers it is GW-F01.",
        mends: "The application's owner binds a certificate for the host: `az webapp config ssl \
            bind -g RG -n APP --certificate-thumbprint THUMBPRINT --ssl-type SNI` Or the gateway's \
            owner asks for the default name: `az network application-gateway http-settings update \
            -g RG --gateway-name GATEWAY -n SETTING --host-name-from-backend-pool true`",
    }
    V1PinnedCertRotated {
        shows: "Backend health of a v1 gateway says Unhealthy with a sentence about the \
            certificate, from the moment when the server's certificate was renewed.",
        decides: "The SKU in `gateway.json` is of v1, and the key in `certs/presented.pem` is not \
            that of an uploaded authentication certificate. A v1 gateway compares this key alone; \
            roots do not count. On a v2 gateway it is GW-F09.",
        mends: "The gateway's owner uploads the certificate that is presented now: `az network \
            application-gateway auth-cert create -g RG --gateway-name GATEWAY -n NEW-CERT \
            --cert-file server.cer` Then has the setting trust old and new: `az network \
            application-gateway http-settings update -g RG --gateway-name GATEWAY -n SETTING \
            --auth-certs OLD-CERT NEW-CERT` A v2 gateway trusts the authority instead and needs no \
            such step.",
    }
    V1SniIsPoolFqdn {
        shows: "Backend health of a v1 gateway says Unhealthy: the Common Name of the backend's \
            certificate does not match. The host of the probe is right, and makes no difference.",
        decides: "The SKU in `gateway.json` is of v1, and the member's name in the pool is not \
            among the names of `certs/presented.pem`, or what is presented for it is for another \
            site than the uploaded certificate. On v1 the host of probe and setting is only \
            the Host header. On v2 it is GW-F01.",
        mends: "The gateway's owner puts a name that is in the certificate into the pool, and the \
            owner of DNS has it lead to the server: `az network application-gateway address-pool \
            update -g RG --gateway-name GATEWAY -n POOL --servers NAME`",
    }
    TlsVersionOrCipherMismatch {
        shows: "Backend health says Unhealthy with a connection that was closed or a certificate \
            that could not be verified; clients get 502. The server's log has a handshake that \
            failed.",
        decides: "`observations.json` has the versions that the server takes, and TLS 1.2 or 1.3 \
            is not among them; a v2 gateway speaks no older ones to backends, whatever its TLS \
            policy says. On v1 the policy in `gateway.json` holds for backends too, and TLS 1.3 is \
            not spoken at all. A policy without a suite for the kind of a certificate's key (ECDSA \
            or RSA) fails every handshake in the same way, at a listener too. If the \
            handshake gets as far as the certificate, the causes from GW-F01 on apply.",
        mends: "The backend's owner turns TLS 1.2 on. For nginx: `ssl_protocols TLSv1.2 TLSv1.3;` \
            See whether it is taken: `openssl s_client -connect ADDRESS:PORT -servername NAME \
            -tls1_2 </dev/null`",
    }
    DatapathTlsNameMismatch {
        shows: "Servers are healthy, and every request gets 502 at once. In the access log \
            `serverStatus` is empty.",
        decides: "In `gateway.json` the probe has a host and the setting has none, so live \
            requests ask for the client's host; `certs/presented.pem` is for the probe's name \
            alone. If probes fail as well, it is GW-F01. If TLS succeeds and the application does \
            not know the host, it is GW-I01.",
        mends: "The gateway's owner has live requests ask for the name in the certificate: `az \
            network application-gateway http-settings update -g RG --gateway-name GATEWAY -n \
            SETTING --host-name NAME` The server then gets that name as the host of every request. \
            Or the owner of the certificate adds the clients' host to it.",
    }
    ListenerCertificateUnreachable {
        shows: "Clients of a listener cannot finish the TLS handshake and see the alert \
            `unrecognized_name`; other listeners go on. Or a change fails with \
            `ApplicationGatewayKeyVaultSecretException`.",
        decides: "`keyvault.json` has a firewall or no public access, and neither the gateway's \
            subnet nor the platform's services are let in, or the private zone of the vault is not \
            linked in `private-dns-links.json`; `last-error.json` may say so. If the vault can be \
            reached and the identity may not read, it is GW-G02. If the certificate itself is no \
            good, it is GW-G03. A secret that is disabled, or access policies that know only \
            another identity than the gateway's, have the same effect without a change of the \
            gateway.",
        mends: "The vault's owner lets the gateway's subnet in: `az keyvault network-rule add -g \
            RG -n VAULT --subnet SUBNET-ID` A vault with a private endpoint alone needs its zone \
            linked to the gateway's network: `az network private-dns link vnet create -g RG -z \
            privatelink.vaultcore.azure.net -n LINK -v VNET -e false` Then the gateway's owner \
            has the certificate fetched \
            again; without that it takes up to four hours: `az network application-gateway update \
            -g RG -n GATEWAY`",
    }
}
