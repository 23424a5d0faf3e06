//! What most stories begin with.

use gatewright_testkit::backend::{Backend, Manners};
use serde_json::Value;

use crate::site::Site;

/// The subscription of a control plane that was told nothing else.
pub(crate) const SUBSCRIPTION: &str = "/subscriptions/00000000-0000-4000-8000-000000000001";

/// The id of a resource of the group `rg`, from its provider on.
pub(crate) fn id(below: &str) -> String {
    format!("{SUBSCRIPTION}/resourceGroups/rg/providers/{below}")
}

/// The id of what belongs to the gateway `gw`.
pub(crate) fn of_gateway(below: &str) -> String {
    id(&format!("Microsoft.Network/applicationGateways/gw/{below}"))
}

/// Starts a backend that answers with its name.
pub(crate) async fn named(name: &str) -> Backend {
    let backend = Backend::with(Manners::Named).named(name);
    backend.start().await.unwrap()
}

/// A node that reaches `backends` under the addresses beside them, with a resource group `rg` and
/// a gateway `gw` in it that listens on port 80 and has `10.0.1.4:8080` behind it.
pub(crate) fn site_with_gateway(backends: &[(&str, &Backend)]) -> Option<Site> {
    let site = site(backends)?;
    site.az("group create -n rg -l local");
    site.az(
        "network application-gateway create -g rg -n gw --sku Standard_v2 --public-ip-address ip \
         --vnet-name net --subnet gateways --servers 10.0.1.4 --http-settings-port 8080 \
         --priority 100",
    );
    Some(site)
}

/// The same with nothing in it.
pub(crate) fn site(backends: &[(&str, &Backend)]) -> Option<Site> {
    let map = |(from, to): &(&str, &Backend)| format!("{from}={}", to.address());
    let maps: Vec<String> = backends.iter().map(map).collect();
    let flags = maps.iter().flat_map(|map| ["--map", map]);
    Site::start(&flags.collect::<Vec<_>>())
}

pub(crate) const GATEWAY: &str = "network application-gateway";

/// What `az network application-gateway` prints for these words, of the gateway `gw`.
pub(crate) fn gw(site: &Site, words: &str) -> Value {
    site.az(&format!("{GATEWAY} {words} -g rg --gateway-name gw"))
}

/// What it says where it refuses them.
pub(crate) fn gw_refused(site: &Site, words: &str) -> String {
    site.refused(&format!("{GATEWAY} {words} -g rg --gateway-name gw"))
}

/// Fails unless a client gets `text` there, with 200.
pub(crate) async fn serves(site: &Site, port: u16, host: &str, path: &str, text: &str) {
    let answer = site.ask(port, path, host).await;
    assert_eq!(answer, (200, text.to_owned()), "{host}:{port}{path}");
}

/// The names of a list's items, in its order.
pub(crate) fn names(list: &Value) -> Vec<&str> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(|item| item["name"].as_str()).collect()
}

/// Whether `value` has everything that `expected` has; numbers, texts and lists to the letter.
#[track_caller]
pub(crate) fn has(value: &Value, expected: &Value) {
    for (name, expected) in expected.as_object().unwrap() {
        match expected {
            Value::Object(_) => has(&value[name], expected),
            _ => assert_eq!(&value[name], expected, "{name} of {value:#}"),
        }
    }
}
