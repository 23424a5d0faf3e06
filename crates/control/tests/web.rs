//! Web apps: as resources, and at the front where they answer.

mod support;

use gatewright_control::Role;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use support::{Api, GROUP, LOCATION, Reply, Site, group, net};

fn web(path: &str) -> String {
    format!("{}/providers/Microsoft.Web/{path}", group(GROUP))
}

/// A control plane with a front, a plan and the site `app1`.
async fn with_app() -> Site {
    let site = Site::start().await;
    site.api
        .create(&group(GROUP), &json!({"location": LOCATION}))
        .await;
    let plan = json!({
        "location": LOCATION,
        "properties": {"reserved": true},
        "sku": {"name": "B1", "tier": "BASIC", "capacity": 1},
    });
    // az takes nothing but 200 for what is new.
    let made = site.api.put(&web("serverfarms/plan1"), &plan).await;
    made.expect(StatusCode::OK);
    let made = site.api.put(&web("sites/app1"), &app("PYTHON|3.12")).await;
    made.expect(StatusCode::OK);
    site
}

fn app(runtime: &str) -> Value {
    json!({
        "location": LOCATION,
        "properties": {
            "serverFarmId": web("serverfarms/plan1"),
            "httpsOnly": false,
            "siteConfig": {
                "appSettings": [{"name": "TOKEN", "value": "hunter2"}],
                "linuxFxVersion": runtime,
            },
        },
    })
}

/// A client of the front that finds every name there.
async fn visit(site: &Site, scheme: &str, host: &str) -> Reply {
    let address = site.apps_at;
    let ca = site.apps_authority.as_bytes();
    let client = Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(ca).unwrap()])
        .redirect(reqwest::redirect::Policy::none())
        .resolve(host, address)
        .build()
        .unwrap();
    let api = Api {
        client,
        root: format!("{scheme}://{host}:{}", address.port()),
        token: String::new(),
    };
    api.get("/hello?a=b").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_is_as_clients_need_it() {
    let site = with_app().await;
    let shown = site
        .api
        .get(&web("sites/app1"))
        .await
        .expect(StatusCode::OK);
    let properties = &shown.body["properties"];
    assert!(!shown.text.contains("hunter2"), "settings may be secrets");
    assert_eq!(shown.body["kind"], "app,linux");
    assert_eq!(properties["defaultHostName"], "app1.azurewebsites.net");
    assert_eq!(properties["sku"], "Basic");
    assert_eq!(properties["state"], "Running");
    assert_eq!(properties["siteConfig"]["linuxFxVersion"], "PYTHON|3.12");
    let settings = site
        .api
        .post(&web("sites/app1/config/appsettings/list"), None)
        .await;
    assert_eq!(settings.body["properties"], json!({"TOKEN": "hunter2"}));
    let new = json!({"properties": {"A": "1"}});
    let put = site
        .api
        .put(&web("sites/app1/config/appsettings"), &new)
        .await;
    assert_eq!(
        put.expect(StatusCode::OK).body["properties"],
        new["properties"]
    );
    let again = site.api.create(&web("sites/app1"), &shown.body).await;
    assert_eq!(
        again["properties"]["siteConfig"]["linuxFxVersion"],
        "PYTHON|3.12"
    );
    let settings = site
        .api
        .post(&web("sites/app1/config/appsettings/list"), None)
        .await;
    assert_eq!(
        settings.body["properties"], new["properties"],
        "a GET that is PUT loses nothing"
    );
    let profile = site
        .api
        .post(&web("sites/app1/publishxml"), Some(&json!({})))
        .await;
    assert_eq!(profile.header("content-type"), Some("application/xml"));
    assert!(
        profile.text.contains("publishMethod=\"FTP\""),
        "{}",
        profile.text
    );
    let plan = site.api.get(&web("serverfarms/plan1")).await.body;
    assert_eq!(plan["properties"]["numberOfSites"], 1);
    assert_eq!(plan["sku"]["tier"], "Basic");
    site.api
        .delete(&web("serverfarms/plan1"))
        .await
        .refused("Conflict");
    site.api
        .put(&web("sites/-bad"), &app(""))
        .await
        .refused("BadRequest");
    let name = json!({"name": "APP1", "type": "Site"});
    let check = "/subscriptions/00000000-0000-4000-8000-000000000001/providers/Microsoft.Web/\
                 checknameavailability";
    let free = site
        .api
        .post(check, Some(&name))
        .await
        .expect(StatusCode::OK);
    assert_eq!(free.body["nameAvailable"], false);
    site.api.remove(&web("sites/app1")).await;
    site.api.remove(&web("serverfarms/plan1")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_front_knows_a_site_by_its_host_name() {
    let site = with_app().await;
    for scheme in ["http", "https"] {
        let reply = visit(&site, scheme, "app1.azurewebsites.net").await;
        let reply = reply.expect(StatusCode::OK);
        assert!(
            reply.text.contains("the web app app1") && reply.text.contains("&amp;api-version"),
            "{reply:?}"
        );
    }
    let unknown = visit(&site, "http", "www.contoso.test")
        .await
        .expect(StatusCode::NOT_FOUND);
    assert!(
        unknown
            .text
            .contains("<title>404 Web Site not found.</title>"),
        "{unknown:?}"
    );
    let binding = web("sites/app1/hostNameBindings/www.contoso.test");
    let bound = site
        .api
        .put(&binding, &json!({"properties": {"siteName": "app1"}}))
        .await;
    assert_eq!(
        bound.expect(StatusCode::OK).body["name"],
        "app1/www.contoso.test"
    );
    visit(&site, "http", "www.contoso.test")
        .await
        .expect(StatusCode::OK);
    let desired = site.desired().await;
    let names: Vec<&str> = desired.app_names().collect();
    assert_eq!(names, ["app1.azurewebsites.net", "www.contoso.test"]);
    site.api.create(&web("sites/app2"), &app("")).await;
    let other = web("sites/app2/hostNameBindings/www.contoso.test");
    site.api.put(&other, &json!({})).await.refused("Conflict");
    site.api.delete(&binding).await.expect(StatusCode::OK);
    visit(&site, "http", "www.contoso.test")
        .await
        .expect(StatusCode::NOT_FOUND);

    site.api
        .post(&web("sites/app1/stop"), None)
        .await
        .expect(StatusCode::OK);
    let stopped = visit(&site, "http", "app1.azurewebsites.net").await;
    let stopped = stopped.expect(StatusCode::FORBIDDEN);
    assert!(
        stopped
            .text
            .contains("<title>Web App - Unavailable</title>"),
        "{stopped:?}"
    );
    site.api
        .post(&web("sites/app1/start"), None)
        .await
        .expect(StatusCode::OK);
    let secure = json!({"properties": {"httpsOnly": true}});
    site.api
        .patch(&web("sites/app1"), &secure)
        .await
        .expect(StatusCode::OK);
    let moved = visit(&site, "http", "app1.azurewebsites.net").await;
    let moved = moved.expect(StatusCode::MOVED_PERMANENTLY);
    assert!(
        moved
            .header("location")
            .unwrap()
            .starts_with("https://app1.azurewebsites.net/hello")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn access_restrictions_are_shown_as_az_expects_and_hold() {
    let site = with_app().await;
    let path = web("sites/app1/config/web");
    let rules = |shown: &Value| shown["properties"]["ipSecurityRestrictions"].clone();
    let shown = site.api.get(&path).await.expect(StatusCode::OK).body;
    let open = json!([{
        "ipAddress": "Any",
        "action": "Allow",
        "priority": 2_147_483_647,
        "name": "Allow all",
        "description": "Allow all access",
    }]);
    assert_eq!(rules(&shown), open);
    let mut given = open.clone();
    given.as_array_mut().unwrap().push(json!({
        "name": "AllowGwIp",
        "ipAddress": "203.0.113.10/32",
        "priority": "110",
        "action": "Allow",
        "tag": "Default",
    }));
    let change = json!({"properties": {"ipSecurityRestrictions": given}});
    let shown = site
        .api
        .patch(&path, &change)
        .await
        .expect(StatusCode::OK)
        .body;
    assert_eq!(rules(&shown)[0]["priority"], 110);
    assert_eq!(rules(&shown)[1]["name"], "Deny all");
    let refused = visit(&site, "http", "app1.azurewebsites.net").await;
    let refused = refused.expect(StatusCode::FORBIDDEN);
    assert_eq!(refused.header("x-ms-forbidden-ip"), Some("127.0.0.1"));
    let loopback = json!({"properties": {"ipSecurityRestrictions": [
        {"name": "me", "ipAddress": "127.0.0.0/8", "priority": 1, "action": "Allow"},
    ]}});
    site.api
        .patch(&path, &loopback)
        .await
        .expect(StatusCode::OK);
    visit(&site, "http", "app1.azurewebsites.net")
        .await
        .expect(StatusCode::OK);
    let none = json!({"properties": {"ipSecurityRestrictions": []}});
    let shown = site
        .api
        .patch(&path, &none)
        .await
        .expect(StatusCode::OK)
        .body;
    assert_eq!(rules(&shown), open);
    let wrong = json!({"properties": {"ipSecurityRestrictions": [
        {"name": "x", "ipAddress": "10.0.0.0/99", "priority": 1},
    ]}});
    site.api.patch(&path, &wrong).await.refused("BadRequest");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_later_is_refused_clearly_and_to_those_who_may_ask() {
    let site = with_app().await;
    let gateway = format!(
        "{}/providers/Microsoft.Network/applicationGateways/g",
        group(GROUP)
    );
    let subscription = format!(
        "/subscriptions/{}",
        gatewright_control::DEFAULT_SUBSCRIPTION
    );
    let workspaces = format!(
        "{}/providers/microsoft.OperationalInsights/workspaces",
        group(GROUP)
    );
    for (method, path) in [
        (
            Method::GET,
            format!("{gateway}/providers/Microsoft.Insights/metrics?metricnames=x"),
        ),
        (
            Method::GET,
            format!("{gateway}/providers/microsoft.insights/metricDefinitions"),
        ),
        (
            Method::GET,
            format!("{subscription}/providers/Microsoft.Insights/metrics?region=local"),
        ),
        (
            Method::PUT,
            format!("{gateway}/providers/Microsoft.Insights/diagnosticSettings/d"),
        ),
        (Method::GET, workspaces.clone()),
        (Method::PUT, format!("{workspaces}/w")),
        (Method::POST, "/v1/workspaces/w/query".to_owned()),
    ] {
        let reply = site.api.send(method.clone(), &path, Some(&json!({}))).await;
        let message = reply.refused("GW-E-not-here-yet").to_owned();
        assert!(
            message.ends_with("not part of this control plane yet."),
            "{message}"
        );
        assert_eq!(
            reply.status,
            StatusCode::BAD_REQUEST,
            "azure-core tries others again"
        );
        let nobody = Api {
            token: "x".to_owned(),
            ..site.api.clone()
        };
        let reply = nobody.send(method, &path, None).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    let reader = site
        .control
        .create_principal("r", Role::Reader, "")
        .await
        .unwrap();
    let ca = std::fs::read(site.directory.path().join("ca.pem")).unwrap();
    let reader = Api::log_in(site.control.address(), &ca, &reader).await;
    reader
        .put(&web("sites/app1"), &app(""))
        .await
        .refused("AuthorizationFailed");
    let list = web("sites/app1/config/appsettings/list");
    reader
        .post(&list, None)
        .await
        .refused("AuthorizationFailed");
}

/// A gateway with a public address that has `app1` in a pool.
fn gateway() -> Value {
    let own = |path: &str| json!({"id": format!("{}/{path}", net("applicationGateways/gw"))});
    json!({
        "location": LOCATION,
        "properties": {
            "sku": {"name": "Standard_v2", "tier": "Standard_v2", "capacity": 1},
            "gatewayIPConfigurations": [{"name": "c", "properties": {
                "subnet": {"id": net("virtualNetworks/v/subnets/gw")},
            }}],
            "frontendIPConfigurations": [{"name": "f", "properties": {
                "publicIPAddress": {"id": net("publicIPAddresses/pip")},
            }}],
            "frontendPorts": [{"name": "p", "properties": {"port": 80}}],
            "backendAddressPools": [{"name": "b", "properties": {
                "backendAddresses": [{"fqdn": "app1.azurewebsites.net"}],
            }}],
            "backendHttpSettingsCollection": [{"name": "s", "properties": {
                "port": 80, "protocol": "Http", "pickHostNameFromBackendAddress": true,
            }}],
            "httpListeners": [{"name": "l", "properties": {
                "frontendIPConfiguration": own("frontendIPConfigurations/f"),
                "frontendPort": own("frontendPorts/p"),
                "protocol": "Http",
            }}],
            "requestRoutingRules": [{"name": "r", "properties": {
                "ruleType": "Basic",
                "priority": 1,
                "httpListener": own("httpListeners/l"),
                "backendAddressPool": own("backendAddressPools/b"),
                "backendHttpSettings": own("backendHttpSettingsCollection/s"),
            }}],
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_comes_from_its_public_address_and_its_subnet() {
    let site = with_app().await;
    let network = |endpoints: Value| {
        json!({"location": LOCATION, "properties": {
            "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
            "subnets": [{"name": "gw", "properties": {
                "addressPrefix": "10.0.0.0/24", "serviceEndpoints": endpoints,
            }}],
        }})
    };
    let vnet = net("virtualNetworks/v");
    site.api.create(&vnet, &network(json!([]))).await;
    let address = json!({
        "location": LOCATION,
        "sku": {"name": "Standard"},
        "properties": {"publicIPAllocationMethod": "Static"},
    });
    let pip = site
        .api
        .create(&net("publicIPAddresses/pip"), &address)
        .await;
    let address = pip["properties"]["ipAddress"]
        .as_str()
        .expect("an address")
        .to_owned();
    site.api
        .create(&net("applicationGateways/gw"), &gateway())
        .await;
    let allow = |rule: Value| json!({"properties": {"ipSecurityRestrictions": [rule]}});
    let config = web("sites/app1/config/web");
    let host = "app1.azurewebsites.net";

    let other = allow(json!({"name": "x", "ipAddress": "192.0.2.0/24", "priority": 1}));
    site.api.patch(&config, &other).await.expect(StatusCode::OK);
    let refused = visit(&site, "http", host)
        .await
        .expect(StatusCode::FORBIDDEN);
    assert_eq!(refused.header("x-ms-forbidden-ip"), Some(address.as_str()));
    let own = allow(json!({"name": "gw", "ipAddress": address, "priority": 1}));
    site.api.patch(&config, &own).await.expect(StatusCode::OK);
    visit(&site, "http", host).await.expect(StatusCode::OK);

    let subnet = net("virtualNetworks/v/subnets/gw");
    let rule = allow(json!({"name": "s", "vnetSubnetResourceId": subnet, "priority": 1}));
    site.api.patch(&config, &rule).await.expect(StatusCode::OK);
    visit(&site, "http", host)
        .await
        .expect(StatusCode::FORBIDDEN);
    site.api
        .create(&vnet, &network(json!([{"service": "Microsoft.Web"}])))
        .await;
    visit(&site, "http", host).await.expect(StatusCode::OK);
    let shown = site.api.get(&subnet).await.expect(StatusCode::OK);
    assert!(
        !shown.text.contains("sites/app1"),
        "a rule does not use the subnet: {shown:?}"
    );
}
