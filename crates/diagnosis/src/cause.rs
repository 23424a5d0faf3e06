//! Every cause that a diagnosis can end in, in one table. The longer texts of each are in
//! [`crate::catalogue`].

use crate::catalogue::{self, Texts};

/// An enum whose variants have words in answers.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$own:meta])* $variant:ident $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$own])* $variant,)* }

        impl $name {
            /// The word of answers.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}

words! {
    /// Where a cause lies.
    Layer {
        State "state",
        Configuration "configuration",
        Dns "dns",
        Network "network",
        Tcp "tcp",
        Tls "tls",
        Http "http",
        Capacity "capacity",
    }
}

words! {
    /// Who can mend something.
    Owner {
        Gateway "gateway",
        Backend "backend",
        Network "network",
        Dns "dns",
        Certificate "certificate",
        Controller "controller",
        Platform "platform",
    }
}

words! {
    /// How bad it is.
    Severity {
        /// Requests fail because of it.
        Error "error",
        /// Requests do not fail because of it alone.
        Warning "warning",
    }
}

macro_rules! causes {
    ($(
        $variant:ident $code:literal $name:literal $layer:ident $severity:ident $means:literal;
    )*) => {
        /// Why requests fail.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Cause { $(#[doc = $means] $variant,)* }

        impl Cause {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Such as `GW-F02`; never given to another cause.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// A stable name for tools, in kebab case.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            pub fn layer(self) -> Layer {
                match self { $(Self::$variant => Layer::$layer,)* }
            }

            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }

            /// What is so where this is the cause, in one sentence.
            pub fn means(self) -> &'static str {
                match self { $(Self::$variant => $means,)* }
            }

            pub(crate) fn texts(self) -> &'static Texts {
                match self { $(Self::$variant => &catalogue::$variant,)* }
            }
        }
    };
}

causes! {
    NotListening "GW-A01" "not-listening" Tcp Error
        "Nothing listens on the port that the backend setting or the probe uses.";
    WrongPort "GW-A02" "wrong-port" Tcp Error
        "The backend listens on another port than the backend setting or the probe uses.";
    NsgBackendDeny "GW-A03" "nsg-backend-deny" Network Error
        "A security rule denies the way from the gateway's subnet to the backend's port.";
    MissingRoute "GW-A04" "missing-route" Network Error
        "The route to the backend leads nowhere, or there is none.";
    UnroutableAddress "GW-A05" "unroutable-address" Network Error
        "The pool has an address that nothing reachable can have.";
    HostFirewall "GW-A06" "host-firewall" Tcp Error
        "The network lets the packets through, and a firewall on the backend drops them.";
    Probe404 "GW-B01" "probe-404" Http Error
        "The probe asks for a path that the backend does not have.";
    Probe401 "GW-B02" "probe-401" Http Error
        "The probe asks for a page that needs credentials, which probes never send.";
    Probe403 "GW-B03" "probe-403" Http Error
        "The backend forbids what the probe asks for.";
    ProbeRedirect "GW-B04" "probe-redirect" Http Error
        "The backend redirects the probe, and the probe counts no redirect as healthy.";
    Probe5xx "GW-B05" "probe-5xx" Http Error
        "The backend answers the probe with an error of its own.";
    BodyMismatch "GW-B06" "body-mismatch" Http Error
        "The backend's page does not have the text that the probe looks for.";
    ProbeTimeoutTooShort "GW-B07" "probe-timeout-too-short" Http Error
        "The backend answers the probe, and takes longer than the probe waits.";
    ProbeNotAttached "GW-B08" "probe-not-attached" Configuration Error
        "There is a probe for this backend, and the backend setting does not refer to it.";
    DefaultProbeHost "GW-B09" "default-probe-host" Http Error
        "The probe asks for the host 127.0.0.1, which the backend does not answer to.";
    BackendPath "GW-B10" "backend-path" Http Error
        "The backend setting puts another path in place of the one that clients ask for.";
    ApimProbePath "GW-B11" "apim-probe-path" Http Error
        "API Management answers probes under /status-0123456789abcdef alone.";
    V1ManagementPorts "GW-C01" "v1-mgmt-ports" Network Warning
        "A security rule keeps the platform from the management ports of a v1 gateway.";
    V2ManagementPorts "GW-C02" "v2-mgmt-ports" Network Warning
        "A security rule keeps the platform from the management ports of a v2 gateway.";
    V2ManagementPortsPutRejected "GW-C03" "v2-mgmt-ports-put-rejected" Network Error
        "A change was refused because a security rule keeps the platform from the gateway.";
    EmptyPool "GW-D01" "empty-pool" Configuration Error
        "Requests are sent to a backend pool without servers.";
    NoPool "GW-D02" "no-pool" Configuration Error
        "The gateway has no backend pool.";
    ListenerPort "GW-E01" "listener-port" Configuration Error
        "Clients connect to a port that no listener listens on.";
    MissingPathRule "GW-E02" "missing-path-rule" Configuration Error
        "No path rule is for the paths that clients ask for.";
    UnmatchedPathDefaultBackend "GW-E03" "unmatched-path-default-backend" Configuration Error
        "Paths that no path rule matches go to a default pool that cannot answer.";
    RuleOrder "GW-E04" "rule-order" Configuration Error
        "A rule that is tried earlier takes the requests that another one is meant for.";
    HostNotMatched "GW-E05" "host-not-matched" Configuration Error
        "No listener is for the host name that clients ask for.";
    CnSanMismatch "GW-F01" "cn-san-mismatch" Tls Error
        "The backend's certificate is for other names than the one that it is asked for.";
    MissingTrustedRoot "GW-F02" "missing-trusted-root" Tls Error
        "A private authority signed the backend's certificate, and its root is not uploaded.";
    IncompleteChain "GW-F03" "incomplete-chain" Tls Error
        "The backend does not send the intermediate certificates.";
    ChainOrder "GW-F04" "chain-order" Tls Error
        "The backend sends its certificates in the wrong order, or none of its own.";
    Expired "GW-F05" "expired" Tls Error
        "A certificate of the backend has expired.";
    NotYetValid "GW-F06" "not-yet-valid" Tls Error
        "A certificate of the backend is not valid yet.";
    TrustedRootNotAttached "GW-F07" "trusted-root-not-attached" Tls Error
        "The right root is uploaded, and the backend setting does not refer to it.";
    RootNotACa "GW-F08" "root-not-a-ca" Tls Error
        "What was uploaded as a root is no certificate of an authority.";
    RootMismatch "GW-F09" "root-mismatch" Tls Error
        "The uploaded root is another one than the backend's certificate leads to.";
    SelfSigned "GW-F10" "self-signed" Tls Error
        "The backend's certificate is signed with its own key, and nobody was told to trust it.";
    NoSni "GW-F11" "no-sni" Tls Error
        "The gateway sends no server name, and the backend presents another certificate then.";
    AppServiceNoTlsBinding "GW-F12" "appservice-no-tls-binding" Tls Error
        "The App Service has no certificate bound for the host that it is asked for.";
    V1PinnedCertRotated "GW-F13" "v1-pinned-cert-rotated" Tls Error
        "The backend presents another certificate than the one that was uploaded to a v1 gateway.";
    V1SniIsPoolFqdn "GW-F14" "v1-sni-is-pool-fqdn" Tls Error
        "A v1 gateway asks for the name of the pool's member, which the certificate is not for.";
    Stopped "GW-G01" "stopped" State Error
        "The gateway is stopped.";
    PutFailedKeyVaultDenied "GW-G02" "put-failed-keyvault-denied" State Error
        "The last change failed: the gateway's identity may not read the certificate's secret.";
    PutFailedCert "GW-G03" "put-failed-cert" State Error
        "The last change failed: a certificate in it is not acceptable.";
    PutFailedReference "GW-G04" "put-failed-reference" State Error
        "The last change failed: it refers to something that is not there, or does not fit.";
    PutFailedUnknown "GW-G05" "put-failed-unknown" State Error
        "The last change failed.";
    Transitioning "GW-G06" "transitioning" State Error
        "The gateway is being started, stopped or changed.";
    AutoscaleMax "GW-H01" "autoscale-max" Capacity Error
        "The gateway cannot grow any more: it has as many instances as it may have.";
    FixedCapacity "GW-H02" "fixed-capacity" Capacity Error
        "The gateway has a fixed number of instances, and needs more.";
    AppServiceHostHeader "GW-I01" "appservice-host-header" Http Error
        "The shared host gets the client's host name, which is not bound to the application.";
    AppServiceAccessRestriction "GW-I02" "appservice-access-restriction" Http Error
        "The App Service's access restrictions keep the gateway out.";
    PaasAccessRestriction "GW-I03" "paas-access-restriction" Http Error
        "The firewall of the platform service keeps the gateway out.";
    UdrDefaultRoute "GW-J01" "udr-default-route" Network Error
        "The default route of the gateway's subnet does not lead to the Internet.";
    AsymmetricRouting "GW-J02" "asymmetric-routing" Network Error
        "The answers of the backend take another way than the requests.";
    ReturnPathSnat "GW-J03" "return-path-snat" Network Error
        "The source address is changed on the way, so that answers do not come back.";
    DnsUnresolvableBackend "GW-K01" "dns-unresolvable-backend" Dns Error
        "The gateway's name servers do not know the name of the pool's member.";
    DnsStaleCache "GW-K02" "dns-stale-cache" Dns Error
        "The gateway goes on with an address that the name does not have any more.";
    DnsAzureResolverForced "GW-K03" "dns-azure-resolver-forced" Dns Error
        "The gateway asks the platform's resolver for this name, not the network's own servers.";
    TlsVersionOrCipherMismatch "GW-L01" "tls-version-or-cipher-mismatch" Tls Error
        "The gateway and the backend have no TLS version or cipher suite in common.";
    DatapathTlsNameMismatch "GW-L02" "datapath-tls-name-mismatch" Tls Error
        "Probes ask for a name that is in the certificate, and live requests for another.";
    GatewaySubnetOutboundNsg "GW-M01" "gateway-subnet-outbound-nsg" Network Error
        "A security rule of the gateway's subnet denies what the gateway itself must send.";
    PlatformEgressBlocked "GW-M02" "platform-egress-blocked" Network Error
        "A firewall keeps the gateway from the platform.";
    StaleBackendTargets "GW-N01" "stale-backend-targets" Configuration Error
        "The pool has addresses that nothing behind it has any more.";
    BackendChurnDuringDeploy "GW-N02" "backend-churn-during-deploy" Configuration Error
        "Servers went and came while the pool followed behind.";
    VmssModelNotApplied "GW-N03" "vmss-model-not-applied" Configuration Error
        "Instances of the scale set do not have its latest model.";
    UpdateInProgressConfigNotLive "GW-N04" "update-in-progress-config-not-live" State Error
        "A change is still being applied: what is shown is not what serves.";
    ConfigOverwritten "GW-N05" "config-overwritten-by-another-writer" Configuration Error
        "Another writer put the gateway back to what it was.";
    Backend5xxRelayed "GW-O01" "backend-5xx-relayed" Http Error
        "The error is the backend's own answer, which the gateway passes on.";
    RequestTimeout "GW-O02" "request-timeout" Http Error
        "The backend takes longer to answer than the backend setting waits.";
    KeepaliveRace "GW-O03" "keepalive-race" Tcp Error
        "The backend closes idle connections that the gateway is about to use again.";
    BrokenAnswer "GW-O04" "broken-answer" Http Error
        "The backend breaks its answer off, or what it answers is not HTTP.";
    ListenerCertificateUnreachable "GW-P01" "listener-certificate-unreachable" Tls Error
        "The gateway cannot fetch the listener's certificate from the vault.";
}

impl Cause {
    /// The letter of its category.
    pub fn category(self) -> &'static str {
        self.code().get(3..4).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_and_names_are_unique_and_in_order() {
        let codes: Vec<_> = Cause::ALL.iter().map(|cause| cause.code()).collect();
        assert!(codes.is_sorted(), "{codes:?}");
        let names: BTreeSet<_> = Cause::ALL.iter().map(|cause| cause.name()).collect();
        assert_eq!(names.len(), Cause::ALL.len());
        let unique: BTreeSet<_> = codes.iter().collect();
        assert_eq!(unique.len(), Cause::ALL.len());
        assert_eq!(Cause::MissingTrustedRoot.category(), "F");
    }
}
