//! Every sentence that the backend-health report can hold, in one table.
//!
//! The wordings are those that Azure documents or was seen to answer (behaviour of the service as
//! of 2026); where a server fails in a way that the service has no sentence for, the sentence is
//! ours. A sentence states what was observed. Which defect of a certificate chain leads to which
//! sentence is decided where the chain is walked.

/// Whose wording a sentence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wording {
    /// The service's own, in its newest form.
    Service,
    /// Ours, where the service has none.
    Own,
}

/// What has to change for a server to be healthy, between a client, the gateway and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultyPart {
    Nothing,
    /// The gateway's configuration: the backend setting, the probe, the pool.
    Gateway,
    /// The way between them, or what listens at its end.
    Connection,
    /// The server: its certificates, or its application.
    Backend,
}

macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident {
        code: $code:literal,
        error_name: $error_name:literal,
        part: $part:ident,
        wording: $wording:ident,
        text: $text:expr,
        older: [$($older:expr),* $(,)?],
        cause: $cause:expr,
        remedy: $remedy:expr,
    })*) => {
        /// One sentence of the report.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum HealthMessage {
            $($(#[$doc])* $name,)*
        }

        impl HealthMessage {
            /// Every message, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// A stable name for tools, in kebab case.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The report's `healthProbeErrorName`: one of the values that the service has.
            pub fn error_name(self) -> &'static str {
                match self { $(Self::$name => $error_name,)* }
            }

            /// Where the service's illustration of a connection would be red.
            pub fn faulty_part(self) -> FaultyPart {
                match self { $(Self::$name => FaultyPart::$part,)* }
            }

            pub fn wording(self) -> Wording {
                match self { $(Self::$name => Wording::$wording,)* }
            }

            /// The sentence with its places, such as `{received}`; see [`Fill`](crate::Fill).
            pub fn template(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What the sentence was in earlier years: exports may hold any of them.
            pub fn older_wordings(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($older),*],)* }
            }

            /// What brings a server to this.
            pub fn cause(self) -> &'static str {
                match self { $(Self::$name => $cause,)* }
            }

            /// What mends it.
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)* }
            }
        }
    };
}

const NOT_CONNECTED: &str = "Application Gateway could not connect to the backend. Check that the \
    backend responds on the port used for the probe. Also check whether any NSG/UDR/Firewall is \
    blocking access to the Ip and port of this backend.";

const NOT_CONNECTED_2020: &str = "Application Gateway could not connect to the backend. Please \
    check that the backend responds on the port used for the probe. Also check whether any \
    NSG/UDR/Firewall is blocking access to the Ip and port of this backend";

const NOT_CONNECTED_OLD: &str = "Cannot connect to backend server. Check whether any \
    NSG/UDR/Firewall is blocking access to the server. Check if application is running on correct \
    port.";

const UNKNOWN: &str = "The backend health status could not be retrieved. This happens when an \
    NSG/UDR/Firewall on the application gateway subnet is blocking traffic on ports 65503-65534 \
    in case of v1 SKU, and ports 65200-65535 in case of the v2 SKU or if the FQDN configured in \
    the backend pool could not be resolved to an IP address. To learn more visit - \
    https://aka.ms/UnknownBackendHealth.";

messages! {
    Success {
        code: "success",
        error_name: "SuccessWithStatusCode",
        part: Nothing,
        wording: Service,
        text: "Success. Received {received} status code",
        older: [],
        cause: "The server's answer is what the probe expects.",
        remedy: "Nothing is to be done.",
    }
    TimedOut {
        code: "timed-out",
        error_name: "Timeout",
        part: Backend,
        wording: Service,
        text: "Time taken by the backend to respond to application gateway's health probe is more \
            than the timeout threshold in the probe setting.",
        older: [
            "Time taken by the backend to respond to application gateway's health probe is more \
                than the time-out threshold in the probe configuration. Either increase the \
                time-out threshold in the probe configuration or resolve the backend issues. \
                Note: for default probe, the http timeout is 30s. To learn more visit - \
                https://aka.ms/ProbeTimeOut.",
        ],
        cause: "The server took the connection, and did not answer the probe in the probe's time.",
        remedy: "Find out why the application is slow on the probe's path; or probe a path that \
            answers at once, or give a custom probe a longer timeout (that of the default probe \
            cannot be changed).",
    }
    NameUnresolved {
        code: "name-unresolved",
        error_name: "HostNameNotResolved",
        part: Gateway,
        wording: Service,
        text: "Application Gateway could not create a probe for this backend. This usually \
            happens when the FQDN of the backend is not entered correctly.",
        older: [
            "Application Gateway could not create a probe for this backend. This usually happens \
                when the FQDN of the backend has not been entered correctly.",
        ],
        cause: "DNS says that the member's name does not exist, or has no IPv4 address.",
        remedy: "Correct the name in the backend pool, or add the record to the zone that the \
            gateway's name server answers for.",
    }
    ConnectRefused {
        code: "connect-refused",
        error_name: "PortNotReachable",
        part: Connection,
        wording: Service,
        text: NOT_CONNECTED,
        older: [NOT_CONNECTED_2020, NOT_CONNECTED_OLD],
        cause: "The server's machine answers that nothing listens on the port.",
        remedy: "Start the application, or make the backend setting's (or the probe's) port the \
            one that it listens on; see that it does not listen on 127.0.0.1 alone.",
    }
    ConnectTimedOut {
        code: "connect-timed-out",
        error_name: "ServerNotReachable",
        part: Connection,
        wording: Service,
        text: NOT_CONNECTED,
        older: [NOT_CONNECTED_2020, NOT_CONNECTED_OLD],
        cause: "Nothing comes back from the address: no such machine, or something on the way \
            drops the packets.",
        remedy: "Check the address; then the NSGs of the gateway's subnet (outbound) and of the \
            server's (inbound), the route tables, and the server's own firewall.",
    }
    AddressUnreachable {
        code: "address-unreachable",
        error_name: "AddressNotReachable",
        part: Connection,
        wording: Service,
        text: NOT_CONNECTED,
        older: [NOT_CONNECTED_2020, NOT_CONNECTED_OLD],
        cause: "A router or this machine says that there is no way to the address.",
        remedy: "Check the address and the routes to it.",
    }
    ConnectReset {
        code: "connect-reset",
        error_name: "ServerNotReachable",
        part: Connection,
        wording: Service,
        text: NOT_CONNECTED,
        older: [NOT_CONNECTED_2020, NOT_CONNECTED_OLD],
        cause: "The connection was reset while it was made, by the server or by a firewall.",
        remedy: "See what listens on the port, and whether a firewall in between resets \
            connections.",
    }
    StatusMismatch {
        code: "status-mismatch",
        error_name: "HttpStatusCodeMismatchWithStatusCode",
        part: Backend,
        wording: Service,
        text: "Status code of the backend's HTTP response did not match the probe setting. \
            Expected:{expected} Received:{received}.",
        older: ["Received invalid status code: {received} in the backend server's HTTP response."],
        cause: "The server answers the probe with a status that the probe does not count as \
            healthy.",
        remedy: "Probe a path and a host that the application answers with 200; or, where the \
            status is what a healthy application answers (such as 401 without credentials), add \
            it to the probe's match.",
    }
    BodyMismatch {
        code: "body-mismatch",
        error_name: "HttpResponseBodyMismatch",
        part: Backend,
        wording: Service,
        text: "Body of the backend's HTTP response did not match the probe setting. Received \
            response body doesn't contain {text}.",
        older: [
            "Body of the backend's HTTP response did not match the probe setting. Received \
                response body does not contain {text}.",
        ],
        cause: "The text that the probe's match asks for is not in the answer's body.",
        remedy: "Correct the match (it is plain text, and letter case counts), or the page.",
    }
    CertificateName {
        code: "certificate-name",
        error_name: "BackendCertificateCNMismatchWithProbeHostName",
        part: Gateway,
        wording: Service,
        text: "The Common Name of the leaf certificate presented by the backend server does not \
            match the Probe or Backend Setting hostname of the application gateway.",
        older: [
            "The Common Name (CN) of the backend certificate does not match the host header of \
                the probe.",
            "The Common Name (CN) of the backend certificate doesn't match the host header of \
                the probe.",
        ],
        cause: "The server's certificate is for other names than the one that was asked for.",
        remedy: "Set the host name of the probe or of the backend setting to a name in the \
            certificate, or give the server a certificate for the name.",
    }
    CertificateNameV1 {
        code: "certificate-name-v1",
        error_name: "BackendCertInvalidCN",
        part: Gateway,
        wording: Service,
        text: "The Common Name (CN) of the backend certificate doesn't match.",
        older: [],
        cause: "On a v1 gateway: the server's certificate is for another name than the pool's.",
        remedy: "Name the server in the pool as its certificate does.",
    }
    CertificateDates {
        code: "certificate-dates",
        error_name: "BackendServerCertificateExpired",
        part: Backend,
        wording: Service,
        text: "Backend certificate is invalid. Current date is not within the \"Valid from\" and \
            \"Valid to\" date range on the certificate.",
        older: [],
        cause: "A certificate of the chain has expired, or is not valid yet.",
        remedy: "Renew the certificate and have the server load it.",
    }
    IntermediateMissing {
        code: "intermediate-missing",
        error_name: "IncompleteBackendCertificateChainOnlyLeafCertificateIsPresent",
        part: Backend,
        wording: Service,
        text: "The Intermediate certificate is missing from the certificate chain presented by \
            the backend server. Ensure the certificate chain is complete and correctly ordered on \
            the backend server.",
        older: [],
        cause: "The server sends its own certificate alone, and the authority that signed it is \
            not known here.",
        remedy: "Have the server send its certificate followed by the intermediate ones (nginx: \
            concatenate them into the ssl_certificate file). Where there are none, because a root \
            of your own signed it, upload that root to the gateway and name it in the setting.",
    }
    LeafMissing {
        code: "leaf-missing",
        error_name: "IncorrectBackendCertificateChainMissingLeafCertificate",
        part: Backend,
        wording: Service,
        text: "The Leaf certificate is missing from the certificate chain presented by the \
            backend server. Ensure the chain is complete and correctly ordered on the backend \
            server.",
        older: [],
        cause: "The server sends certificates of authorities, and none of its own.",
        remedy: "Install the server's own certificate, in front of the others.",
    }
    NotWellKnown {
        code: "not-well-known",
        error_name: "BackendServerCertificateNotTrustedByWellKnownCAs",
        part: Gateway,
        wording: Service,
        text: "The backend Server certificate is not signed by a well-known Certificate Authority \
            (CA). To use unknown CA certificates, its Root certificate must be uploaded to the \
            Backend Setting of the application gateway.",
        older: [
            "The server certificate used by the backend is not signed by a well-known Certificate \
                Authority (CA). Allow the backend on the Application Gateway by uploading the \
                root certificate of the server certificate used by the backend.",
            "The server certificate used by the backend is not signed by a well-known Certificate \
                Authority (CA). Whitelist the backend on the Application Gateway by uploading the \
                root certificate of the server certificate used by the backend.",
        ],
        cause: "A private authority signed the server's certificate, and the backend setting \
            trusts the public ones alone.",
        remedy: "Upload the authority's root certificate and refer to it from the backend setting.",
    }
    IntermediateNotWellKnown {
        code: "intermediate-not-well-known",
        error_name: "BackendServerCertificateNotTrustedByWellKnownCAs",
        part: Backend,
        wording: Service,
        text: "The Intermediate certificate is not signed by a well-known Certificate Authority \
            (CA). Ensure the certificate chain is complete and correctly ordered on the backend \
            server.",
        older: [],
        cause: "The chain ends at an intermediate certificate whose issuer is no public authority.",
        remedy: "Upload the root of that authority and refer to it from the backend setting; or \
            use a certificate of a public authority, with its whole chain.",
    }
    IntermediateNotUploaded {
        code: "intermediate-not-uploaded",
        error_name: "BackendServerCertificateNotTrustedByRootCertificates",
        part: Gateway,
        wording: Service,
        text: "The Intermediate certificate not signed by any Root certificates uploaded to the \
            application gateway. Ensure the certificate chain is complete and correctly ordered \
            on the backend server.",
        older: [],
        cause: "The chain ends at a certificate whose issuer is not among the uploaded roots.",
        remedy: "Upload the root that signed the last certificate of the chain, or have the \
            server send the chain up to one that is uploaded.",
    }
    RootMismatch {
        code: "root-mismatch",
        error_name: "BackendServerCertificateNotTrustedByRootCertificates",
        part: Gateway,
        wording: Service,
        text: "The root certificate of the server certificate used by the backend doesn't match \
            the trusted root certificate added to the application gateway. Ensure that you add \
            the correct root certificate to allowlist the backend.",
        older: [
            "The root certificate of the server certificate used by the backend does not match \
                the trusted root certificate added to the application gateway. Ensure that you \
                add the correct root certificate to allowlist the backend",
            "The root certificate of the server certificate used by the backend does not match \
                the trusted root certificate added to the application gateway. Ensure that you \
                add the correct root certificate to whitelist the backend.",
        ],
        cause: "The chain leads to a root that is another than the uploaded one, perhaps of the \
            same name.",
        remedy: "Export the root that the server's chain leads to, and upload that one.",
    }
    LeafNotTopmost {
        code: "leaf-not-topmost",
        error_name: "IncorrectBackendCertificateChainLeafCertificateIsNotTopmostCertificate",
        part: Backend,
        wording: Service,
        text: "The Leaf certificate is not the topmost certificate in the chain presented by the \
            backend server. Ensure the certificate chain is correctly ordered on the backend \
            server.",
        older: [],
        cause: "The server sends another certificate before its own.",
        remedy: "Put the certificates in order: the server's own, then each one's issuer.",
    }
    CertificateUnverified {
        code: "certificate-unverified",
        error_name: "CertVerificationFailed",
        part: Backend,
        wording: Service,
        text: "The validity of the backend certificate could not be verified. To find out the \
            reason, check OpenSSL diagnostics for the message associated with error code \
            {openssl}",
        older: [],
        cause: "The chain has another defect; the number is OpenSSL's for it.",
        remedy: "`openssl verify` names the defect of the chain in words; the manual page \
            X509_STORE_CTX_get_error lists the numbers (X509_V_ERR_…).",
    }
    NotAllowListed {
        code: "not-allow-listed",
        error_name: "BackendServerCertificateNotWhitelisted",
        part: Gateway,
        wording: Service,
        text: "Backend server certificate is not whitelisted with Application Gateway.",
        older: [],
        cause: "On a v1 gateway: the server's certificate is none of those that were uploaded as \
            authentication certificates.",
        remedy: "Upload the certificate that the server presents, and refer to it from the \
            backend setting.",
    }
    ProxyProtocol {
        code: "proxy-protocol",
        error_name: "Unknown",
        part: Backend,
        wording: Service,
        text: "Verify that the backend server is set up to accept the Proxy protocol header sent \
            by the probes.",
        older: [],
        cause: "A probe of a TCP or TLS backend setting begins with a PROXY line, and the server \
            refuses it.",
        remedy: "Switch the PROXY protocol on at the server, or off in the probe.",
    }
    Unretrievable {
        code: "unretrievable",
        error_name: "GatewayNotReachable",
        part: Gateway,
        wording: Service,
        text: UNKNOWN,
        older: [],
        cause: "The network policy keeps the management ports from the gateway's subnet, or sends \
            the subnet's default route elsewhere than to the Internet.",
        remedy: "Allow inbound GatewayManager traffic on ports 65200-65535 (v1: 65503-65534) in \
            the subnet's NSG, and remove the default route.",
    }
    NameUnanswered {
        code: "name-unanswered",
        error_name: "HostNameNotResolved",
        part: Gateway,
        wording: Service,
        text: UNKNOWN,
        older: [],
        cause: "No name server answers for the member's name, and there is no earlier answer.",
        remedy: "Check the name servers that the gateway asks: those of its VNet.",
    }
    NotProbed {
        code: "not-probed",
        error_name: "Unknown",
        part: Nothing,
        wording: Own,
        text: "The backend has not been probed yet.",
        older: [],
        cause: "The first probe is still under way.",
        remedy: "Wait for the probe's timeout at most.",
    }
    NoLongerProbed {
        code: "no-longer-probed",
        error_name: "Unknown",
        part: Nothing,
        wording: Own,
        text: "The backend is not probed any more.",
        older: [],
        cause: "A change of the configuration, or of the addresses of its name, has taken the \
            server out; this stands in events alone.",
        remedy: "Nothing, unless the server should still be there.",
    }
    TlsVersion {
        code: "tls-version",
        error_name: "BackendSecureConnectionError",
        part: Backend,
        wording: Own,
        text: "The TLS handshake with the backend failed: the backend does not accept TLS 1.2 or \
            TLS 1.3.",
        older: [],
        cause: "The server speaks older versions of TLS only.",
        remedy: "Switch TLS 1.2 on at the server.",
    }
    TlsAlert {
        code: "tls-alert",
        error_name: "BackendSecureConnectionError",
        part: Backend,
        wording: Own,
        text: "The TLS handshake with the backend failed: the backend ended it with the alert \
            {text}.",
        older: [],
        cause: "The server refuses the handshake: handshake_failure mostly means that there is no \
            cipher suite in common, unrecognized_name that it does not know the name.",
        remedy: "Look into the server's log for the time of the probe; compare its cipher suites \
            and names with what the gateway offers.",
    }
    TlsProtocol {
        code: "tls-protocol",
        error_name: "BackendSecureConnectionError",
        part: Backend,
        wording: Own,
        text: "The TLS handshake with the backend failed: what the backend sends on this port is \
            not TLS.",
        older: [],
        cause: "The port is not an HTTPS port, or the server's side of the handshake is not valid.",
        remedy: "Make the backend setting's protocol and port those of the server.",
    }
    TlsUnfit {
        code: "tls-unfit",
        error_name: "BackendSecureConnectionError",
        part: Backend,
        wording: Own,
        text: "The TLS handshake with the backend failed: its side of the handshake is not one \
            that the gateway takes.",
        older: [],
        cause: "Its certificates have more than 64 KiB together, or its TLS library breaks the \
            standard or lacks what TLS 1.2 and 1.3 demand.",
        remedy: "Have the server send its certificate and the intermediate ones alone; bring its \
            TLS library up to date.",
    }
    TlsClosed {
        code: "tls-closed",
        error_name: "BackendSecureConnectionError",
        part: Backend,
        wording: Own,
        text: "The TLS handshake with the backend failed: the backend closed the connection \
            within it.",
        older: [],
        cause: "The server hung up within the handshake, as one does that wants a client \
            certificate, a name that it knows, or an older TLS.",
        remedy: "Look into the server's log for the time of the probe.",
    }
    ClosedUnanswered {
        code: "closed-unanswered",
        error_name: "ServerNotReachable",
        part: Backend,
        wording: Own,
        text: "The backend closed the connection without an answer to the probe.",
        older: [],
        cause: "The server took the request and hung up.",
        remedy: "Look into the server's log for the time of the probe; an HTTPS port does this to \
            plain HTTP.",
    }
    ResetUnanswered {
        code: "reset-unanswered",
        error_name: "ServerNotReachable",
        part: Backend,
        wording: Own,
        text: "The backend reset the connection without an answer to the probe.",
        older: [],
        cause: "The server's process ended, or a firewall cut the connection.",
        remedy: "See whether the application restarts again and again.",
    }
    ClosedWithinAnswer {
        code: "closed-within-answer",
        error_name: "ServerNotReachable",
        part: Backend,
        wording: Own,
        text: "The backend closed the connection within its answer to the probe.",
        older: [],
        cause: "The answer's body is shorter than its head says.",
        remedy: "Look into the server's log for the time of the probe.",
    }
    NotHttp {
        code: "not-http",
        error_name: "Unknown",
        part: Backend,
        wording: Own,
        text: "The backend's answer to the probe is not valid HTTP/1.1.",
        older: [],
        cause: "Something else than a web server listens on the port; an HTTPS port also answers \
            plain HTTP with bytes of TLS.",
        remedy: "Make the backend setting's protocol and port those of the web server.",
    }
    AnswerTooLarge {
        code: "answer-too-large",
        error_name: "Unknown",
        part: Backend,
        wording: Own,
        text: "The head of the backend's answer to the probe is larger than 64 KB.",
        older: [],
        cause: "The server sends header fields without end, or far too many.",
        remedy: "See what the server answers on the probe's path: `curl -I`.",
    }
    NoResources {
        code: "no-resources",
        error_name: "Unknown",
        part: Gateway,
        wording: Own,
        text: "The gateway had no port, descriptor or memory left to probe the backend.",
        older: [],
        cause: "This machine is at a limit.",
        remedy: "Raise the limit of open files (ulimit -n), or lower the number of connections.",
    }
}
