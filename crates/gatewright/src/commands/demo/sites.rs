//! The demo's servers: where each one is in the imagined network, how it behaves, and how the
//! gateway speaks to it.

use std::time::Duration;

use gatewright_testkit::backend::{Backend, Builder, Manners};
use gatewright_testkit::situations::{GOOD_BODY, Situation, Surroundings};

/// The name that servers behind TLS are asked for, and that their certificates should have.
pub(super) const HOST: &str = "app.contoso.test";

/// How long the slow servers take: longer than anyone waits for them.
pub(super) const SLOWNESS: Duration = Duration::from_secs(10);

/// Between two bytes of the server that sends them one by one.
const DRIBBLE_INTERVAL: Duration = Duration::from_millis(20);

/// The `requestTimeout` of a setting, in seconds, unless it is the point of the site.
const TIMEOUT_S: u32 = 20;

/// How a setting's servers are probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Care {
    /// By the default probe.
    Default,
    /// By a custom probe for [`HEALTH_PATH`], at short intervals.
    Healthz,
    /// By one that also wants [`wanted_text`] in the answer.
    HealthzText,
}

/// What custom probes ask for.
pub(super) const HEALTH_PATH: &str = "/healthz";

/// What [`Care::HealthzText`] wants.
pub(super) fn wanted_text() -> &'static str {
    GOOD_BODY.trim()
}

/// A pool with its setting, and the path rule of the same name that leads there.
pub(super) struct Site {
    pub(super) name: &'static str,
    /// Whether there is a path rule; a rule of their own leads to the others.
    pub(super) has_path: bool,
    /// Addresses in the imagined network.
    pub(super) servers: Vec<String>,
    pub(super) is_tls: bool,
    pub(super) care: Care,
    /// The setting's `requestTimeout`, in seconds.
    pub(super) timeout: u32,
    pub(super) has_affinity: bool,
}

impl Site {
    fn new(name: &'static str, servers: &[&str]) -> Self {
        Self {
            name,
            has_path: true,
            servers: servers.iter().map(|one| (*one).to_owned()).collect(),
            is_tls: false,
            care: Care::Default,
            timeout: TIMEOUT_S,
            has_affinity: false,
        }
    }

    fn of(situation: Situation) -> Self {
        Self {
            is_tls: situation.is_tls(),
            care: match situation {
                Situation::WrongBody => Care::HealthzText,
                _ => Care::Healthz,
            },
            ..Self::new(situation.name(), &[&address_of(situation)])
        }
    }

    /// The backend setting's port.
    pub(super) fn port(&self) -> u16 {
        match self.is_tls {
            true => 443,
            false => 80,
        }
    }
}

/// Every site of the demo. The two servers of `shop` also keep the carts.
pub(super) fn sites() -> Vec<Site> {
    let shop = ["10.0.1.4", "10.0.1.5"];
    let mut sites = vec![
        Site {
            has_path: false,
            ..Site::new("shop", &shop)
        },
        Site {
            has_path: false,
            ..Site::new("blog", &["10.0.1.6"])
        },
        Site::new("images", &["10.0.1.7"]),
        Site {
            has_affinity: true,
            ..Site::new("cart", &shop)
        },
    ];
    sites.extend(RUDE.map(|(name, address)| Site {
        care: Care::Healthz,
        timeout: if name == "late" { 1 } else { TIMEOUT_S },
        ..Site::new(name, &[address])
    }));
    sites.extend(Situation::ALL.map(Site::of));
    sites
}

/// Servers that answer probes well and requests badly: name and address.
const RUDE: [(&str, &str); 4] = [
    ("late", "10.0.2.4"),
    ("closing", "10.0.2.5"),
    ("babbling", "10.0.2.6"),
    ("dribbling", "10.0.2.7"),
];

/// The servers in which probes find something stand in a row.
fn address_of(situation: Situation) -> String {
    // The first three addresses of a subnet are the platform's.
    const FIRST: usize = 4;
    let position = Situation::ALL.iter().position(|one| *one == situation);
    format!("10.0.3.{}", FIRST + position.unwrap_or_default())
}

/// A server: its address and port in the imagined network, and what answers there.
pub(super) struct Inhabitant {
    pub(super) address: String,
    pub(super) port: u16,
    pub(super) backend: Builder,
}

/// Who answers at each address.
pub(super) fn inhabitants(around: &Surroundings) -> Vec<Inhabitant> {
    let good = [
        ("10.0.1.4", "shop-1"),
        ("10.0.1.5", "shop-2"),
        ("10.0.1.6", "blog"),
        ("10.0.1.7", "images"),
    ];
    let mut inhabitants: Vec<Inhabitant> = good
        .map(|(address, name)| plain(address, Backend::with(hello(name))))
        .into();
    inhabitants.extend(RUDE.map(|(name, address)| {
        let well = Backend::with(Manners::text(GOOD_BODY));
        plain(address, well.on_path(&format!("/{name}/"), rude(name)))
    }));
    inhabitants.extend(Situation::ALL.map(|situation| Inhabitant {
        address: address_of(situation),
        port: Site::of(situation).port(),
        backend: situation.backend(around),
    }));
    inhabitants
}

fn plain(address: &str, backend: Builder) -> Inhabitant {
    Inhabitant {
        address: address.to_owned(),
        port: 80,
        backend,
    }
}

fn hello(name: &str) -> Manners {
    Manners::text(&format!("hello from {name}\n"))
}

/// How one of [`RUDE`] answers requests.
fn rude(name: &str) -> Manners {
    match name {
        "late" => Manners::slow(SLOWNESS, hello(name)),
        "closing" => Manners::CloseBeforeAnswer,
        "babbling" => Manners::StaticBytes {
            bytes: b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(),
            close: true,
        },
        _ => Manners::dribbling(DRIBBLE_INTERVAL, hello(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_of_the_gateway_is_inhabited() {
        let inhabited: Vec<(String, u16)> = inhabitants(&Surroundings::new(HOST))
            .into_iter()
            .map(|one| (one.address, one.port))
            .collect();
        for site in sites() {
            for server in &site.servers {
                let place = (server.clone(), site.port());
                assert!(inhabited.contains(&place), "{place:?}");
            }
        }
        let mut places = inhabited.clone();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), inhabited.len(), "two at one address");
    }
}
