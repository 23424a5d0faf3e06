//! `gatewright serve --network`: what the documents of the neighbourhood say of a server's health.

use std::thread;
use std::time::Duration;

use gatewright_testkit::backend::{Backend, Manners};
use gatewright_testkit::client::get;
use serde_json::{Value, json};

use crate::support::{
    Files, Node, free_port, gateway, probe_often, run, stderr, stdout, wait_until,
};

const NETWORK: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg\
                       /providers/Microsoft.Network";

const NOT_CONNECTED: &str = "Application Gateway could not connect to the backend. Check that the \
    backend responds on the port used for the probe. Also check whether any NSG/UDR/Firewall is \
    blocking access to the Ip and port of this backend.";

/// Longer than the node takes to see a change of files and to act on it, twice.
const TWO_RELOADS: Duration = Duration::from_secs(5);

/// As `az network vnet show` prints it: the tests' gateway's subnet, with a security group, and
/// that of its server.
fn virtual_network() -> Value {
    let id = format!("{NETWORK}/virtualNetworks/vn");
    let subnet = |name: &str, prefix: &str| {
        json!({
            "addressPrefix": prefix,
            "id": format!("{id}/subnets/{name}"),
            "name": name,
            "provisioningState": "Succeeded",
            "resourceGroup": "rg",
            "type": "Microsoft.Network/virtualNetworks/subnets",
        })
    };
    let mut own = subnet("sn", "10.9.0.0/24");
    let group = format!("{NETWORK}/networkSecurityGroups/nsg");
    own["networkSecurityGroup"] = json!({ "id": group, "resourceGroup": "rg" });
    json!({
        "addressSpace": { "addressPrefixes": ["10.9.0.0/16"] },
        "enableDdosProtection": false,
        "id": id,
        "location": "westeurope",
        "name": "vn",
        "resourceGroup": "rg",
        "subnets": [own, subnet("servers", "10.9.8.0/24")],
        "type": "Microsoft.Network/virtualNetworks",
        "virtualNetworkPeerings": [],
    })
}

/// As `az network nsg show` prints it.
fn security_group(rules: &[Value]) -> Value {
    json!({
        "defaultSecurityRules": [],
        "id": format!("{NETWORK}/networkSecurityGroups/nsg"),
        "location": "westeurope",
        "name": "nsg",
        "resourceGroup": "rg",
        "securityRules": rules,
        "type": "Microsoft.Network/networkSecurityGroups",
    })
}

fn rule(name: &str, priority: u32, access: &str, direction: &str, ports: &str) -> Value {
    json!({
        "access": access,
        "destinationAddressPrefix": "*",
        "destinationPortRange": ports,
        "direction": direction,
        "id": format!("{NETWORK}/networkSecurityGroups/nsg/securityRules/{name}"),
        "name": name,
        "priority": priority,
        "protocol": "*",
        "provisioningState": "Succeeded",
        "resourceGroup": "rg",
        "sourceAddressPrefix": if direction == "Inbound" { "GatewayManager" } else { "*" },
        "sourcePortRange": "*",
        "type": "Microsoft.Network/networkSecurityGroups/securityRules",
    })
}

/// What every gateway needs of its subnet's group.
pub(crate) fn allow_management() -> Value {
    rule("allow-management", 100, "Allow", "Inbound", "65200-65535")
}

pub(crate) fn deny_web() -> Value {
    rule("deny-web", 200, "Deny", "Outbound", "80")
}

pub(crate) struct Neighbourhood {
    pub(crate) files: Files,
    backend: Backend,
}

impl Neighbourhood {
    pub(crate) async fn new() -> Self {
        let mut document = gateway(free_port());
        probe_often(&mut document, json!({ "timeout": 2 }));
        let files = Files::new(&document);
        files.write_as("network/vn.json", &virtual_network());
        Self {
            files,
            backend: Backend::start(Manners::text("hello")).await.unwrap(),
        }
    }

    pub(crate) fn set_rules(&self, rules: &[Value]) {
        self.files
            .write_as("network/nsg.json", &security_group(rules));
    }

    pub(crate) fn serve(&self) -> Node {
        let folder = self.files.path("network").display().to_string();
        let map = format!("10.9.8.7:80={}", self.backend.address());
        Node::serve(&self.files, &["--map", &map, "--network", &folder])
    }
}

async fn status_of(node: &Node) -> u16 {
    get(node.address(), "shop.test", "/").await.unwrap().status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_flow_makes_a_server_unhealthy_until_the_rule_is_gone() {
    let around = Neighbourhood::new().await;
    around.set_rules(&[allow_management(), deny_web()]);
    let node = around.serve();
    node.wait_for_healths(&["Unhealthy"]);
    assert_eq!(node.servers()[0][2], NOT_CONNECTED);
    let table = stdout(&node.health(&[]));
    let seen = "the rule deny-web (priority 200, outbound) of the security group nsg at the \
                subnet sn denies 10.9.8.7:80";
    let seen_line = table.lines().find(|line| line.starts_with("    seen: "));
    assert!(seen_line.is_some_and(|line| line.contains(seen)), "{table}");
    assert_eq!(status_of(&node).await, 502);
    assert_eq!(around.backend.connections(), 0, "nothing got through");
    let found = node.diagnosed();
    assert_eq!(found["cause"], "nsg-backend-deny", "{found:#}");
    let commands = found["fix"][0]["commands"].to_string();
    assert!(
        commands.contains("--nsg-name nsg") && commands.contains("--priority 199"),
        "{commands}"
    );

    around.set_rules(&[allow_management()]);
    node.wait_for_healths(&["Healthy"]);
    assert_eq!(node.status()["revision"], 2, "it was not started anew");
    assert_eq!(status_of(&node).await, 200);
    around.set_rules(&[allow_management(), deny_web()]);
    node.wait_for_healths(&["Unhealthy"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remedy_is_written_into_the_file_of_the_security_group() {
    let around = Neighbourhood::new().await;
    let deny = rule("deny-web", 100, "Deny", "Outbound", "80");
    around.set_rules(&[allow_management(), deny]);
    let node = around.serve();
    node.wait_for_healths(&["Unhealthy"]);
    let path = around.files.path("network/nsg.json");
    let before = std::fs::read_to_string(&path).unwrap();
    let fix = |more: &[&str]| {
        let own = ["diagnose", "--fix", "--admin", &node.admin()];
        run(&[&own[..], more].concat())
    };
    let output = run(&["diagnose", "--admin", &node.admin()]);
    let said = stdout(&output);
    assert!(said.contains("run this again with --fix"), "{said}");
    // Nobody is there to agree.
    let output = fix(&[]);
    assert!(!output.status.success(), "{}", stdout(&output));
    assert!(stderr(&output).contains("say --yes"), "{}", stderr(&output));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before);

    let output = fix(&["--yes"]);
    let said = stdout(&output);
    assert!(output.status.success(), "{said}{}", stderr(&output));
    assert!(said.contains("GW-A03 is not found any more"), "{said}");
    assert_eq!(node.healths(), ["Healthy"]);
    assert_eq!(status_of(&node).await, 200);
    let kept = std::fs::read_to_string(around.files.path("network/nsg.json.before-fix"));
    assert_eq!(kept.unwrap(), before);
    // A second time, the first copy stays what it is.
    let deny = rule("deny-web", 150, "Deny", "Outbound", "80");
    around.set_rules(&[allow_management(), deny]);
    node.wait_for_healths(&["Unhealthy"]);
    let again = std::fs::read_to_string(&path).unwrap();
    let output = fix(&["--yes"]);
    assert!(output.status.success(), "{}", stderr(&output));
    for (copy, what) in [("before-fix", before), ("before-fix-2", again)] {
        let copy = around.files.path(&format!("network/nsg.json.{copy}"));
        assert_eq!(std::fs::read_to_string(copy).unwrap(), what);
    }
    // What somebody noted in it is not lost.
    let deny = rule("deny-web", 160, "Deny", "Outbound", "80");
    let rules = security_group(&[allow_management(), deny]);
    let noted = format!("// asked of the network team\n{rules}");
    std::fs::write(&path, &noted).unwrap();
    node.wait_for_healths(&["Unhealthy"]);
    let output = fix(&["--yes"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("it has comments, or "), "{said}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), noted);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_management_ports_health_is_unknown_and_traffic_flows() {
    let around = Neighbourhood::new().await;
    let deny_all = rule("deny-in", 300, "Deny", "Inbound", "*");
    around.set_rules(&[deny_all]);
    let node = around.serve();
    wait_until("the server takes traffic", || {
        around.backend.request_count() > 0
    });
    wait_until("its first probe is told", || {
        stdout(&node.health(&[])).contains("our own probes say: Success.")
    });
    assert_eq!(node.healths(), ["Unknown"]);
    let [_, _, sentence] = &node.servers()[0];
    let begins = "The backend health status could not be retrieved.";
    assert!(sentence.starts_with(begins), "{sentence}");
    let output = node.health(&[]);
    assert_eq!(output.status.code(), Some(1));
    let table = stdout(&output);
    let seen = "the rule deny-in (priority 300, inbound) of the security group nsg denies the \
                management ports 65200-65535";
    assert!(table.contains(seen), "{table}");
    assert_eq!(status_of(&node).await, 200);
    assert_eq!(node.diagnosed()["cause"], "v2-mgmt-ports");

    around.set_rules(&[allow_management()]);
    node.wait_for_healths(&["Healthy"]);
    assert_eq!(node.diagnosed(), Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_come_and_go_are_taken_up_once() {
    let around = Neighbourhood::new().await;
    let node = around.serve();
    node.wait_for_healths(&["Healthy"]);
    let warning = "GW-W-network-missing";
    wait_until("the missing group is told", || {
        node.stderr().contains(warning)
    });
    around.set_rules(&[allow_management(), deny_web()]);
    node.wait_for_healths(&["Unhealthy"]);
    // A change of a file that was not there at the beginning.
    around.set_rules(&[allow_management()]);
    node.wait_for_healths(&["Healthy"]);
    std::fs::remove_file(around.files.path("network/nsg.json")).unwrap();
    wait_until("the removal is seen", || node.status()["revision"] == 4);
    thread::sleep(TWO_RELOADS);
    assert_eq!(node.status()["revision"], 4, "{}", node.stderr());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_folder_is_told_and_changes_nothing() {
    let around = Neighbourhood::new().await;
    around.set_rules(&[rule("deny-web", 99, "Deny", "Outbound", "80")]);
    let gateway = around.files.gateway();
    let folder = around.files.path("network");
    let refused = |folder: &str| {
        let output = run(&[
            "serve",
            "--gateway",
            &gateway,
            "--network",
            folder,
            "--admin",
            "none",
        ]);
        assert_eq!(output.status.code(), Some(1));
        stderr(&output)
    };
    let text = refused(&folder.display().to_string());
    let place = "nsg.json:/securityRules/0/priority: error GW-E-security-rule: ";
    assert!(text.contains(place), "{text}");
    let missing = around.files.path("nowhere").display().to_string();
    let text = refused(&missing);
    assert!(
        text.contains(&format!("{missing}: error GW-E-file: ")),
        "{text}"
    );
    assert!(text.contains("does not exist"), "{text}");

    around.set_rules(&[allow_management()]);
    let node = around.serve();
    node.wait_for_healths(&["Healthy"]);
    std::fs::write(folder.join("nsg.json"), "{ \"name\": ").unwrap();
    wait_until("the broken file is told", || {
        node.stderr().contains("nsg.json: InvalidJson")
    });
    assert_eq!(node.status()["revision"], 1);
    assert_eq!(node.healths(), ["Healthy"]);
}
