//! The first minutes of a user, as docs/control-plane.md has them.

use gatewright_testkit::backend::{Backend, Manners};

use crate::site::Site;

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_is_made_and_serves() {
    let backend = Backend::start(Manners::text("hello")).await.unwrap();
    let map = format!("10.0.1.4:80={}", backend.address());
    let Some(site) = Site::start(&["--map", &map]) else {
        return;
    };
    site.az("group create -n rg -l local");
    site.az(
        "network vnet create -g rg -n net --subnet-name gateways --subnet-prefixes 10.0.0.0/24",
    );
    site.az("network public-ip create -g rg -n ip --sku Standard");
    site.az(
        "network application-gateway create -g rg -n gw --sku Standard_v2 --public-ip-address ip \
         --vnet-name net --subnet gateways --servers 10.0.1.4 --priority 100",
    );
    assert_eq!(site.ask(80, "/", "a.test").await, (200, "hello".to_owned()));
}
