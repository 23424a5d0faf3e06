//! Requests and probes that are made otherwise: what compiled settings say.

use std::collections::BTreeSet;

use gatewright_snapshot::{
    BackendProtocol, BackendSetting, BackendTrust, HostOverride, Probe, ProbeHost,
};

use super::effects::effect;
use super::routes::{Reached, Side};
use super::{Effect, Weight};

/// Of every setting that requests are sent by before and after: `was` and `now` are what they come
/// to in each of the two.
pub(super) fn find(old: &Side<'_>, new: &Side<'_>, was: &Reached, now: &Reached) -> Vec<Effect> {
    let (old_settings, new_settings) = (old.settings(), new.settings());
    let mut says = Vec::new();
    for name in settings(was).intersection(&settings(now)) {
        if let (Some(was), Some(now)) = (old_settings.get(*name), new_settings.get(*name)) {
            of_requests(name, was, now, &mut says);
            of_servers(name, was, now, &mut says);
            of_verification(name, was, now, &mut says);
            of_probe(name, was, now, &mut says);
        }
    }
    says.into_iter()
        .map(|says| effect(Weight::Handling, says))
        .collect()
}

fn settings(reached: &Reached) -> BTreeSet<&String> {
    reached.values().flatten().collect()
}

/// What servers see of requests.
fn of_requests(name: &str, was: &BackendSetting, now: &BackendSetting, says: &mut Vec<String>) {
    let mut say = |text: String| says.push(text);
    if was.port != now.port {
        say(format!(
            "Requests by the setting {name} go to port {} of the servers instead of {}.",
            now.port, was.port
        ));
    }
    if was.protocol != now.protocol {
        say(format!(
            "Servers are spoken to with {} by the setting {name}, instead of {}.",
            protocol(now.protocol),
            protocol(was.protocol)
        ));
    }
    if was.host != now.host {
        say(format!(
            "Servers see {} as the host instead of {}, by the setting {name}.",
            host(&now.host),
            host(&was.host)
        ));
    }
    if was.path != now.path {
        let path = |path: &Option<String>| match path {
            Some(path) => format!("{path} in place of what the path pattern spells out"),
            None => "the path as it was sent".to_owned(),
        };
        say(format!(
            "Servers are asked for {} instead of {}, by the setting {name}.",
            path(&now.path),
            path(&was.path)
        ));
    }
    if was.dedicated_connection != now.dedicated_connection {
        say(match now.dedicated_connection {
            true => format!("Each client has a connection of its own, by the setting {name}."),
            false => format!("Clients share connections to servers, by the setting {name}."),
        });
    }
}

/// How long servers have, and who stays with them.
fn of_servers(name: &str, was: &BackendSetting, now: &BackendSetting, says: &mut Vec<String>) {
    let mut say = |text: String| says.push(text);
    let (before, after) = (was.request_timeout.as_secs(), now.request_timeout.as_secs());
    if before < after {
        say(format!(
            "Answers may take {after} s instead of {before} s, by the setting {name}."
        ));
    } else if before > after {
        say(format!(
            "Answers that take more than {after} s get 504: the setting {name} gave them \
             {before} s."
        ));
    }
    if was.affinity_cookie != now.affinity_cookie {
        say(match (&was.affinity_cookie, &now.affinity_cookie) {
            (_, None) => {
                format!("Clients do not stay with their server any more, by the setting {name}.")
            }
            (None, Some(cookie)) => format!(
                "Clients stay with their server by the cookie {cookie}, by the setting {name}."
            ),
            (Some(before), Some(cookie)) => format!(
                "Clients are spread anew once: the cookie of the setting {name} is {cookie} \
                 instead of {before}."
            ),
        });
    }
    if was.drain_timeout != now.drain_timeout {
        say(format!(
            "Requests under way at a server that leaves have {} s instead of {} s, by the setting \
             {name}.",
            now.drain_timeout.as_secs(),
            was.drain_timeout.as_secs()
        ));
    }
}

fn protocol(protocol: BackendProtocol) -> &'static str {
    match protocol {
        BackendProtocol::Http => "HTTP",
        BackendProtocol::Https => "HTTPS",
    }
}

fn host(host: &HostOverride) -> String {
    match host {
        HostOverride::Keep => "the client's own".to_owned(),
        HostOverride::Fixed(name) => name.clone(),
        HostOverride::FromMember => "their own name or address".to_owned(),
    }
}

/// Where both speak HTTPS.
fn of_verification(name: &str, was: &BackendSetting, now: &BackendSetting, says: &mut Vec<String>) {
    let (Some(was), Some(now)) = (&was.verification, &now.verification) else {
        return;
    };
    let mut checked = |what: &str, before: bool, after: bool| match (before, after) {
        (false, true) => says.push(format!(
            "{what} of servers' certificates checked by the setting {name}: servers that fail it \
             become unhealthy."
        )),
        (true, false) => says.push(format!(
            "{what} of servers' certificates not checked any more, by the setting {name}."
        )),
        _ => {}
    };
    checked(
        "The chain and the dates are, in",
        was.check_chain,
        now.check_chain,
    );
    checked("The name is, in", was.check_name, now.check_name);
    if was.sni_name != now.sni_name {
        let called = |sni: &Option<String>| match sni {
            Some(name) => name.clone(),
            None => "that of the host".to_owned(),
        };
        says.push(format!(
            "The name in servers' certificates must be {} instead of {}, by the setting {name}.",
            called(&now.sni_name),
            called(&was.sni_name)
        ));
    }
    if was.trust != now.trust {
        says.push(format!(
            "Servers' certificates must lead to {}, by the setting {name}: servers with others \
             become unhealthy.",
            match &now.trust {
                BackendTrust::WellKnown => "a public authority",
                BackendTrust::Roots(_) => "a public authority or other roots than before",
                BackendTrust::Pinned(_) => "other certificates than before",
            }
        ));
    }
}

fn of_probe(name: &str, old: &BackendSetting, new: &BackendSetting, says: &mut Vec<String>) {
    let (Some(was), Some(now)) = (&old.probe, &new.probe) else {
        return;
    };
    let unhealthy = "servers that do not have it become unhealthy";
    let mut say = |text: String| says.push(format!("The probe of the setting {name} {text}."));
    if was.path != now.path {
        say(format!(
            "asks for {} instead of {}: {unhealthy}",
            now.path, was.path
        ));
    }
    if probe_host(was) != probe_host(now) {
        let (before, after) = (probe_host(was), probe_host(now));
        say(format!(
            "asks for the host {after} instead of {before}: {unhealthy}"
        ));
    }
    // With the setting's, that is told of the setting.
    if was.port != now.port && (was.port != old.port || now.port != new.port) {
        say(format!(
            "goes to port {} instead of {}: servers that do not listen there become unhealthy",
            now.port, was.port
        ));
    }
    let follows = was.protocol == old.protocol && now.protocol == new.protocol;
    if was.protocol != now.protocol && !follows {
        let (before, after) = (protocol(was.protocol), protocol(now.protocol));
        say(format!(
            "speaks {after} instead of {before}: servers that do not become unhealthy"
        ));
    }
    if was.statuses != now.statuses {
        let (before, after) = (was.expected(), now.expected());
        say(format!("takes {after} as healthy instead of {before}"));
    }
    if was.body != now.body {
        say(match &now.body {
            Some(body) => format!("looks for the text {body:?} in the answer: {unhealthy}"),
            None => "does not look at the answer's body any more".to_owned(),
        });
    }
    if was.interval != now.interval {
        say(format!(
            "comes every {} s instead of {} s",
            now.interval.as_secs(),
            was.interval.as_secs()
        ));
    }
    if was.timeout != now.timeout {
        let (before, after) = (was.timeout.as_secs(), now.timeout.as_secs());
        let more = match after < before {
            true => ": servers that are slower become unhealthy",
            false => "",
        };
        say(format!("waits {after} s instead of {before} s{more}"));
    }
    if was.unhealthy_threshold != now.unhealthy_threshold {
        say(format!(
            "takes a server down after {} failures in a row instead of {}",
            now.unhealthy_threshold, was.unhealthy_threshold
        ));
    }
    if was.min_servers != now.min_servers {
        say(format!(
            "leaves {} servers in, whatever it finds, instead of {}",
            now.min_servers, was.min_servers
        ));
    }
}

fn probe_host(probe: &Probe) -> String {
    match &probe.host {
        ProbeHost::Loopback => "127.0.0.1".to_owned(),
        ProbeHost::Fixed(name) => name.clone(),
        ProbeHost::FromSetting => "that the setting gives requests".to_owned(),
    }
}
