//! Which host a probe asks for, and which name stands in its TLS handshake.
//!
//! The rules are those that the service documents for probes, which differ from those for requests:
//! a probe has no client whose host it could pass on.

use std::net::IpAddr;

use gatewright_snapshot::{BackendSetting, Generation, HostOverride, Member, Probe, ProbeHost};

/// The host of the default probe where nothing else is set (the service's documentation).
const LOOPBACK: &str = "127.0.0.1";

/// The names that a probe uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeNames {
    /// The `Host` header.
    pub host: String,
    /// Sent in the TLS handshake, and checked; `None` sends none, and then no name is checked.
    pub sni: Option<String>,
}

/// The names for a probe of `member`.
pub fn probe_names(
    probe: &Probe,
    setting: &BackendSetting,
    member: &Member,
    generation: Generation,
) -> ProbeNames {
    let host = match &probe.host {
        ProbeHost::Loopback => LOOPBACK.to_owned(),
        ProbeHost::Fixed(host) => host.clone(),
        ProbeHost::FromSetting => host_of_setting(setting, member),
    };
    ProbeNames {
        sni: server_name(probe, setting, member, generation),
        host,
    }
}

/// What the setting gives requests: its host name, or the member's own.
fn host_of_setting(setting: &BackendSetting, member: &Member) -> String {
    match (&setting.host, member) {
        (HostOverride::Fixed(host), _) => host.clone(),
        (HostOverride::FromMember, Member::Fqdn(name)) => name.clone(),
        (HostOverride::FromMember, Member::Ip(ip)) => ip.to_string(),
        // Validation refuses a probe that picks from a setting which has nothing to pick.
        (HostOverride::Keep, _) => LOOPBACK.to_owned(),
    }
}

/// v2: the setting's `sniName`, else the custom probe's host, the setting's, the member's name. v1:
/// the member's name. An address never is a name.
fn server_name(
    probe: &Probe,
    setting: &BackendSetting,
    member: &Member,
    generation: Generation,
) -> Option<String> {
    let fqdn = match member {
        Member::Fqdn(name) => Some(name.clone()),
        Member::Ip(_) => None,
    };
    if generation == Generation::V1 {
        return fqdn;
    }
    let verification = probe.verification.as_ref()?;
    let own = match &probe.host {
        ProbeHost::Fixed(host) => Some(without_port(host).to_owned()),
        ProbeHost::Loopback | ProbeHost::FromSetting => None,
    };
    let of_setting = match &setting.host {
        HostOverride::Fixed(host) => Some(without_port(host).to_owned()),
        HostOverride::FromMember | HostOverride::Keep => None,
    };
    let name = (verification.sni_name.clone())
        .or(own)
        .or(of_setting)
        .or(fqdn)?;
    let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    (!is_address).then_some(name)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => {
            name
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gatewright_snapshot::{BackendProtocol, BackendTrust, BackendVerification, GatewayIndex};

    use super::*;

    fn verification(sni_name: Option<&str>) -> BackendVerification {
        BackendVerification {
            trust: BackendTrust::WellKnown,
            check_chain: true,
            check_name: true,
            sni_name: sni_name.map(str::to_owned),
        }
    }

    fn setting(host: HostOverride) -> BackendSetting {
        BackendSetting {
            name: "s".to_owned(),
            gateway: GatewayIndex::new(0),
            port: 443,
            protocol: BackendProtocol::Https,
            request_timeout: Duration::from_secs(30),
            affinity_cookie: None,
            drain_timeout: Duration::from_secs(30),
            host,
            path: None,
            dedicated_connection: false,
            verification: Some(verification(None)),
            probe: None,
        }
    }

    struct Case {
        probe: ProbeHost,
        setting: HostOverride,
        member: &'static str,
        sni_name: Option<&'static str>,
    }

    fn names(case: &Case, generation: Generation) -> (String, Option<String>) {
        let mut probe = Probe::default_for(
            BackendProtocol::Https,
            443,
            Some(verification(case.sni_name)),
        );
        probe.host = case.probe.clone();
        let member = match case.member.parse() {
            Ok(ip) => Member::Ip(ip),
            Err(_) => Member::Fqdn(case.member.to_owned()),
        };
        let setting = setting(case.setting.clone());
        let names = probe_names(&probe, &setting, &member, generation);
        (names.host, names.sni)
    }

    fn check(case: Case, host: &str, v2: Option<&str>, v1: Option<&str>) {
        for (generation, sni) in [(Generation::V2, v2), (Generation::V1, v1)] {
            let expected = (host.to_owned(), sni.map(str::to_owned));
            assert_eq!(names(&case, generation), expected, "{generation:?}");
        }
    }

    fn case(probe: ProbeHost, setting: HostOverride, member: &'static str) -> Case {
        Case {
            probe,
            setting,
            member,
            sni_name: None,
        }
    }

    #[test]
    fn a_default_probe_asks_for_loopback_and_names_what_the_setting_or_the_pool_names() {
        let fixed = || HostOverride::Fixed("s.test".into());
        let (own, fqdn, ip) = (ProbeHost::Loopback, "app.test", "10.0.0.4");
        let keep = HostOverride::Keep;
        check(
            case(own.clone(), fixed(), fqdn),
            LOOPBACK,
            Some("s.test"),
            Some(fqdn),
        );
        check(
            case(own.clone(), fixed(), ip),
            LOOPBACK,
            Some("s.test"),
            None,
        );
        check(
            case(own.clone(), keep.clone(), fqdn),
            LOOPBACK,
            Some(fqdn),
            Some(fqdn),
        );
        check(case(own, keep, ip), LOOPBACK, None, None);
    }

    #[test]
    fn a_custom_probes_host_goes_first_unless_it_is_an_address() {
        let fixed = || HostOverride::Fixed("s.test".into());
        let probe = |host: &str| ProbeHost::Fixed(host.into());
        check(
            case(probe("p.test"), fixed(), "10.0.0.4"),
            "p.test",
            Some("p.test"),
            None,
        );
        check(
            case(probe("p.test:8443"), fixed(), "10.0.0.4"),
            "p.test:8443",
            Some("p.test"),
            None,
        );
        check(
            case(probe("10.9.9.9"), fixed(), "app.test"),
            "10.9.9.9",
            None,
            Some("app.test"),
        );
    }

    #[test]
    fn a_host_can_be_picked_from_the_setting() {
        let picked = || ProbeHost::FromSetting;
        let fixed = HostOverride::Fixed("s.test".into());
        check(
            case(picked(), fixed, "app.test"),
            "s.test",
            Some("s.test"),
            Some("app.test"),
        );
        let from_member = HostOverride::FromMember;
        check(
            case(picked(), from_member, "app.test"),
            "app.test",
            Some("app.test"),
            Some("app.test"),
        );
    }

    #[test]
    fn the_settings_sni_name_goes_before_everything_on_v2() {
        let case = Case {
            probe: ProbeHost::Fixed("p.test".into()),
            setting: HostOverride::Fixed("s.test".into()),
            member: "app.test",
            sni_name: Some("n.test"),
        };
        check(case, "p.test", Some("n.test"), Some("app.test"));
    }
}
