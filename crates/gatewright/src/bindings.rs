//! Which local address each frontend listens on.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use gatewright_snapshot::{Endpoint, EndpointKey, Snapshot};

use crate::sentence::Sentence;
use crate::settings::BindRule;

/// Where everything listens, and what should be known about it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Bindings {
    /// One for each endpoint of the snapshot, in its order.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) warnings: Vec<String>,
}

/// A gateway's frontends have addresses of their own; here they share this machine's, but for those
/// in `placed`, by the gateway's id and the frontend's name in lower case. A rule goes before that.
/// The first endpoint to want an address and port gets it, the next gets 127.0.0.2, and so on.
///
/// # Errors
/// When a rule names a frontend that no gateway has, when rules put two endpoints on one address
/// and port, or when no stand-in is left.
pub(crate) fn assign(
    snapshot: &Snapshot,
    rules: &[BindRule],
    placed: &HashMap<(String, String), IpAddr>,
    port_offset: u16,
) -> Result<Bindings, Sentence> {
    refuse_unknown_frontends(snapshot, rules)?;
    let mut bindings = Bindings::default();
    let mut taken = BTreeSet::new();
    let reserved: BTreeSet<IpAddr> = rules.iter().map(|rule| rule.address).collect();
    for endpoint in &snapshot.endpoints {
        let key = &endpoint.key;
        let port = key.port.checked_add(port_offset).ok_or_else(|| {
            Sentence::new(format!(
                "port {} of frontend '{}' plus --port-offset {port_offset} is beyond 65535; \
                 give a smaller offset",
                key.port, endpoint.frontend
            ))
        })?;
        let rule = rule_for(snapshot, endpoint, rules);
        let place = (key.gateway.clone(), key.frontend.clone());
        let wanted = rule
            .map(|rule| rule.address)
            .or_else(|| placed.get(&place).copied())
            .unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let mut address = SocketAddr::new(wanted, port);
        if taken.contains(&address) {
            if rule.is_some_and(|rule| rule.frontend.is_some()) {
                return Err(Sentence::new(format!(
                    "frontend '{}' is bound to {address}, which another frontend has already; \
                     give it another address with --bind {}=ADDRESS",
                    endpoint.frontend,
                    flag_name(snapshot, endpoint)
                )));
            }
            address = stand_in(port, &taken, &reserved).ok_or_else(|| {
                let what = format!("more than 250 frontends want {wanted}:{port}");
                Sentence::new(format!("{what}; spread them with --bind FRONTEND=ADDRESS"))
            })?;
            bindings.warnings.push(format!(
                "frontend '{frontend}' of gateway '{gateway}' listens on {address}, because \
                 another frontend has {wanted}:{port} already; choose its address with \
                 --bind {flag}=ADDRESS",
                frontend = endpoint.frontend,
                flag = flag_name(snapshot, endpoint),
                gateway = short_name(key),
            ));
        }
        taken.insert(address);
        bindings.addresses.push(address);
    }
    Ok(bindings)
}

/// How `--bind` tells this frontend from all others.
fn flag_name(snapshot: &Snapshot, endpoint: &Endpoint) -> String {
    let frontend = &endpoint.frontend;
    match snapshot.gateways.len() {
        0 | 1 => frontend.clone(),
        _ => format!("{}/{frontend}", snapshot.gateway(endpoint.gateway).name),
    }
}

/// The first of 127.0.0.2, 127.0.0.3, … that is free on `port` and in no rule.
fn stand_in(
    port: u16,
    taken: &BTreeSet<SocketAddr>,
    reserved: &BTreeSet<IpAddr>,
) -> Option<SocketAddr> {
    (2..=254)
        .map(|last| SocketAddr::from(([127, 0, 0, last], port)))
        .find(|address| !taken.contains(address) && !reserved.contains(&address.ip()))
}

/// The last rule that is meant for this endpoint; one that names it goes before a general one.
fn rule_for<'a>(
    snapshot: &Snapshot,
    endpoint: &Endpoint,
    rules: &'a [BindRule],
) -> Option<&'a BindRule> {
    let gateway = &snapshot.gateway(endpoint.gateway).name;
    let named = rules.iter().rev().find(|rule| {
        rule.frontend
            .as_deref()
            .is_some_and(|name| is_frontend(name, gateway, &endpoint.key))
    });
    named.or_else(|| rules.iter().rev().find(|rule| rule.frontend.is_none()))
}

fn is_frontend(name: &str, gateway: &str, key: &EndpointKey) -> bool {
    match name.split_once('/') {
        Some((owner, name)) => {
            owner.eq_ignore_ascii_case(gateway) && name.eq_ignore_ascii_case(&key.frontend)
        }
        None => name.eq_ignore_ascii_case(&key.frontend),
    }
}

fn refuse_unknown_frontends(snapshot: &Snapshot, rules: &[BindRule]) -> Result<(), Sentence> {
    for name in rules.iter().filter_map(|rule| rule.frontend.as_deref()) {
        let is_known = snapshot.endpoints.iter().any(|endpoint| {
            is_frontend(
                name,
                &snapshot.gateway(endpoint.gateway).name,
                &endpoint.key,
            )
        });
        if !is_known {
            let known: BTreeSet<_> = snapshot
                .endpoints
                .iter()
                .map(|endpoint| endpoint.frontend.as_str())
                .collect();
            let known = known.into_iter().collect::<Vec<_>>().join(", ");
            return Err(Sentence::new(format!(
                "--bind names the frontend '{name}', but the frontends that listen are: {known}"
            )));
        }
    }
    Ok(())
}

/// The gateway's name, without the path of its resource id.
pub(crate) fn short_name(key: &EndpointKey) -> &str {
    key.gateway.rsplit('/').next().unwrap_or(&key.gateway)
}

#[cfg(test)]
mod tests {
    use gatewright_snapshot::{Gateway, GatewayIndex, Generation, HostTable, Scheme};

    use super::*;

    fn snapshot(endpoints: &[(&str, u16)]) -> Snapshot {
        let gateway = Gateway {
            name: "contoso".into(),
            resource_id: String::new(),
            generation: Generation::V2,
            idle: None,
            hide_server_header: false,
        };
        let endpoints = endpoints.iter().map(|(frontend, port)| Endpoint {
            key: EndpointKey {
                gateway: "/providers/x/applicationgateways/contoso".into(),
                frontend: (*frontend).into(),
                port: *port,
            },
            frontend: (*frontend).into(),
            gateway: GatewayIndex::new(0),
            scheme: Scheme::Http,
            logical_address: None,
            hosts: HostTable::default(),
            sni_fallback: None,
        });
        Snapshot {
            gateways: vec![gateway],
            endpoints: endpoints.collect(),
            ..Snapshot::default()
        }
    }

    fn bind(
        endpoints: &[(&str, u16)],
        rules: &[&str],
        offset: u16,
    ) -> Result<(Vec<String>, usize), String> {
        let rules: Vec<BindRule> = rules.iter().map(|rule| rule.parse().unwrap()).collect();
        let bindings = assign(&snapshot(endpoints), &rules, &HashMap::new(), offset)
            .map_err(|e| e.to_string())?;
        let addresses = bindings.addresses.iter().map(ToString::to_string).collect();
        Ok((addresses, bindings.warnings.len()))
    }

    fn check(endpoints: &[(&str, u16)], rules: &[&str], expected: &[&str], warnings: usize) {
        let (addresses, told) = bind(endpoints, rules, 8000).unwrap();
        assert_eq!(
            (addresses, told),
            (expected.iter().map(|a| (*a).into()).collect(), warnings)
        );
    }

    #[test]
    fn frontends_listen_everywhere_unless_told_otherwise() {
        let both = [("public", 80), ("public", 443)];
        check(&both, &[], &["0.0.0.0:8080", "0.0.0.0:8443"], 0);
        check(
            &both,
            &["127.0.0.1"],
            &["127.0.0.1:8080", "127.0.0.1:8443"],
            0,
        );
    }

    #[test]
    fn a_rule_that_names_the_frontend_goes_first() {
        let both = [("public", 80), ("private", 80)];
        let expected = ["127.0.0.1:8080", "10.0.0.5:8080"];
        check(&both, &["PRIVATE=10.0.0.5", "127.0.0.1"], &expected, 0);
        check(
            &both,
            &["127.0.0.1", "contoso/private=10.0.0.5"],
            &expected,
            0,
        );
    }

    #[test]
    fn the_second_to_want_an_address_gets_a_stand_in_and_a_warning() {
        let three = [("public", 80), ("private", 80), ("third", 80)];
        check(
            &three,
            &[],
            &["0.0.0.0:8080", "127.0.0.2:8080", "127.0.0.3:8080"],
            2,
        );
        check(
            &three,
            &["third=127.0.0.2", "127.0.0.1"],
            &["127.0.0.1:8080", "127.0.0.3:8080", "127.0.0.2:8080"],
            1,
        );
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_flag_that_mends_it() {
        let both = [("public", 80), ("private", 80)];
        let error = bind(&both, &["private=1.2.3.4", "public=1.2.3.4"], 0).unwrap_err();
        assert!(error.contains("--bind private=ADDRESS"), "{error}");
        let error = bind(&both, &["privat=1.2.3.4"], 0).unwrap_err();
        assert!(error.contains("private, public"), "{error}");
        let error = bind(&[("public", 60_000)], &[], 6_000).unwrap_err();
        assert!(error.contains("--port-offset 6000"), "{error}");
    }
}
