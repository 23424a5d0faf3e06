//! What clients see beside where their requests go: certificates, TLS, addresses; and what looks at
//! requests on their way.

use std::collections::{BTreeMap, BTreeSet};

use gatewright_snapshot::Scheme;

use super::effects::{effect, some};
use super::form::{Leaf, Part};
use super::parts::Pairs;
use super::routes::{Door, Routes, Side, host_for};
use super::{Change, Effect, PartChange, Weight};

/// Certificates that other names get, or that are others under the same name.
pub(super) fn of_certificates(
    old: &Side<'_>,
    new: &Side<'_>,
    routes: &Routes,
    pairs: &Pairs<'_>,
) -> Vec<Effect> {
    let mut told: BTreeMap<(String, u16), BTreeSet<String>> = BTreeMap::new();
    let mut seen: BTreeSet<(Door, Option<&String>)> = BTreeSet::new();
    // One certificate is shown for many hosts.
    let mut known: BTreeMap<String, Option<String>> = BTreeMap::new();
    for asked in routes.common.iter().map(|route| &route.asked) {
        let door = asked.door();
        let https = Some(&Scheme::Https);
        let is_https =
            [&routes.old_doors, &routes.new_doors].map(|doors| doors.get(&door) == https);
        if is_https != [true, true] || !seen.insert((door.clone(), asked.host.as_ref())) {
            continue;
        }
        let pattern = asked.host.as_deref().unwrap_or_default();
        let host = host_for(pattern, &routes.word);
        let shown = |side: &Side<'_>| {
            let listener = side.listener(side.listener_for(&door, &host)?)?;
            let name = listener.properties.ssl_certificate.as_ref()?.name();
            Some(side.called("sslCertificates", name))
        };
        let (Some(was), Some(now)) = (shown(old), shown(new)) else {
            continue;
        };
        let says = match was.eq_ignore_ascii_case(&now) {
            false => Some(format!("the certificate {now} instead of {was}")),
            true => {
                let another = || another_under(&now, pairs);
                known.entry(now.clone()).or_insert_with(another).clone()
            }
        };
        let Some(says) = says else {
            continue;
        };
        let host = match pattern {
            "" => "any other host".to_owned(),
            pattern => pattern.to_owned(),
        };
        told.entry((says, door.port)).or_default().insert(host);
    }
    let told = told.into_iter().map(|((says, port), hosts)| {
        let hosts: Vec<String> = hosts.into_iter().collect();
        let says = format!(
            "Clients of {} on port {port} are shown {says}.",
            some(&hosts)
        );
        effect(Weight::Clients, says)
    });
    told.collect()
}

/// That another certificate has this name now; `None` where it is the same.
fn another_under(name: &str, pairs: &Pairs<'_>) -> Option<String> {
    let (old, new) = pairs.pair("sslCertificates", name)?;
    let print = |part: &Part| {
        let leaves = ["data", "keyVaultSecretId", "hsm.keyId"];
        leaves.map(|leaf| part.leaves.get(leaf).map(Leaf::texts))
    };
    let ([data, was @ ..], [new_data, now @ ..]) = (print(old), print(new));
    let key = |one: &Option<(String, String)>| one.as_ref().map(|one| one.0.clone());
    let is_other = data.is_some() && new_data.is_some() && key(&data) != key(&new_data)
        || was.iter().map(key).ne(now.iter().map(key));
    is_other.then(|| match new_data {
        Some((_, text)) => format!("another certificate under {name} ({text})"),
        None => format!("another certificate under the name {name}"),
    })
}

/// What parts say that no compiled form has.
pub(super) fn of_parts(parts: &[PartChange]) -> Vec<Effect> {
    let mut effects = Vec::new();
    let changed = parts.iter().filter(|one| one.change == Change::Changed);
    for part in changed {
        of_tls(part, &mut effects);
        of_members(part, &mut effects);
    }
    effects
}

fn of_tls(part: &PartChange, effects: &mut Vec<Effect>) {
    let member = |prefix: &str| {
        let mut own = part.members.iter();
        own.find(|one| one.member.starts_with(prefix))
    };
    let (of, clients) = match part.kind {
        "gateway" => ("the gateway".to_owned(), None),
        "TLS profile" => (
            format!("the listeners with the TLS profile {}", part.name),
            member("clientAuth").or_else(|| member("trustedClient")),
        ),
        _ => return,
    };
    if let Some(policy) = member("sslPolicy") {
        effects.push(effect(
            Weight::Clients,
            format!(
                "The TLS policy of {of} is another one ({}): clients without its versions and \
                 cipher suites get no connection.",
                policy.in_short()
            ),
        ));
    }
    if let Some(clients) = clients {
        effects.push(effect(
            Weight::Clients,
            format!(
                "What client certificates the TLS profile {} takes is different ({}).",
                part.name,
                clients.in_short()
            ),
        ));
    }
}

fn of_members(part: &PartChange, effects: &mut Vec<Effect>) {
    if part.kind == "rewrite set" {
        let says = format!(
            "Headers and URLs are rewritten otherwise by the set {}.",
            part.name
        );
        effects.push(effect(Weight::Handling, says));
    }
    let mut has_firewall = false;
    for member in &part.members {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        let (old, new) = (value(&member.old), value(&member.new));
        let name = member.member.as_str();
        if name.to_lowercase().ends_with("rewriteruleset") {
            let says = format!(
                "Headers and URLs of requests by the {} {} are rewritten by the set {new}, \
                 before by {old}.",
                part.kind, part.name
            );
            effects.push(effect(Weight::Handling, says));
        } else if part.kind == "frontend"
            && (name == "privateIPAddress" || name == "publicIPAddress")
        {
            let says = format!(
                "Clients reach the frontend {} at {new} instead of {old}.",
                part.name
            );
            effects.push(effect(Weight::Lost, says));
        } else if name == "sslProfile" && part.kind == "listener" {
            let says = format!(
                "The listener {} takes clients by the TLS profile {new}, before by {old}.",
                part.name
            );
            effects.push(effect(Weight::Clients, says));
        } else if name.to_lowercase().contains("firewall") && !has_firewall {
            has_firewall = true;
            let says = format!(
                "The firewall judges requests by the {} {} otherwise ({}).",
                part.kind,
                part.name,
                member.in_short()
            );
            effects.push(effect(Weight::Handling, says));
        } else if name.starts_with("entraJWT") || name.starts_with("authConfigs") {
            let says = format!(
                "Who may come in by the {} {} is different.",
                part.kind, part.name
            );
            effects.push(effect(Weight::Handling, says));
        }
    }
}
