//! What lies around a gateway: groups, networks, security groups, routes, addresses, interfaces.

use serde_json::json;

use crate::site::Site;
use crate::stage::{gw, has, id, named, names, site, site_with_gateway};

#[tokio::test(flavor = "multi_thread")]
async fn groups_and_networks() {
    let Some(site) = site(&[]) else { return };
    let group = site.az("group create -n rg -l local --tags team=edge");
    has(
        &group,
        &json!({ "name": "rg", "location": "local", "tags": { "team": "edge" } }),
    );
    assert_eq!(group["properties"]["provisioningState"], "Succeeded");
    assert_eq!(site.az("group list"), json!([group]));
    assert_eq!(site.az("group show -n RG"), group);
    assert_eq!(site.az("group exists -n rg"), true);
    assert_eq!(site.az("group exists -n other"), false);
    let said = site.exits(3, "group show -n other");
    assert!(said.contains("(ResourceGroupNotFound)"), "{said}");

    let made = site.az(
        "network vnet create -g rg -n net --address-prefixes 10.0.0.0/16 --subnet-name gateways \
         --subnet-prefixes 10.0.0.0/24 -l local",
    );
    has(
        &made["newVNet"],
        &json!({
            "name": "net", "location": "local", "provisioningState": "Succeeded",
            "addressSpace": { "addressPrefixes": ["10.0.0.0/16"] },
        }),
    );
    assert_eq!(names(&made["newVNet"]["subnets"]), ["gateways"]);
    // Without a location, that of the group.
    let made = site.az("network vnet create -g rg -n other --address-prefixes 10.9.0.0/16");
    has(
        &made["newVNet"],
        &json!({ "location": "local", "subnets": [] }),
    );

    let made = site.az(
        "network vnet subnet create -g rg --vnet-name net -n backends \
         --address-prefixes 10.0.1.0/24",
    );
    let network = id("Microsoft.Network/virtualNetworks/net");
    has(
        &made,
        &json!({
            "id": format!("{network}/subnets/backends"), "addressPrefix": "10.0.1.0/24",
            "provisioningState": "Succeeded",
        }),
    );
    let by_name = site.az("network vnet subnet show -g rg --vnet-name net -n gateways");
    let by_id = site.az(&format!(
        "network vnet subnet show --ids {network}/subnets/gateways"
    ));
    assert_eq!(by_name, by_id);
    assert_eq!(by_id["addressPrefix"], "10.0.0.0/24");
    let shown = site.az("network vnet show -g rg -n net");
    assert_eq!(names(&shown["subnets"]), ["gateways", "backends"]);
    assert_eq!(names(&site.az("network vnet list -g rg")), ["net", "other"]);

    let said = site.exits(
        3,
        "network vnet subnet show -g rg --vnet-name net -n nosuch",
    );
    assert!(said.contains("(NotFound) Resource "), "{said}");
    let said = site.refused(
        "network vnet subnet create -g rg --vnet-name net -n twice --address-prefixes 10.0.1.0/25",
    );
    assert!(said.contains("(NetcfgSubnetRangesOverlap)"), "{said}");
    let said = site.refused(
        "network vnet subnet create -g rg --vnet-name net -n far --address-prefixes 10.9.0.0/24",
    );
    assert!(said.contains("(NetcfgSubnetRangeOutsideVnet)"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn security_rules_hold_for_backends() {
    let backend = named("one").await;
    let Some(site) = site_with_gateway(&[("10.0.1.4:8080", &backend)]) else {
        return;
    };
    site.az(
        "network vnet subnet create -g rg --vnet-name net -n backends \
         --address-prefixes 10.0.1.0/24",
    );
    let made = site.az("network nsg create -g rg -n guard");
    has(
        &made["NewNSG"],
        &json!({
            "name": "guard", "location": "local", "provisioningState": "Succeeded",
            "securityRules": [],
        }),
    );
    assert_eq!(
        made["NewNSG"]["defaultSecurityRules"]
            .as_array()
            .unwrap()
            .len(),
        6
    );
    assert_eq!(names(&site.az("network nsg list -g rg")), ["guard"]);
    let guard = id("Microsoft.Network/networkSecurityGroups/guard");
    assert_eq!(site.az("network nsg show -g rg -n guard")["id"], guard);

    let rule = json!({
        "name": "Web", "priority": 100, "access": "Allow", "direction": "Inbound",
        "protocol": "Tcp", "sourceAddressPrefix": "10.0.0.0/24", "destinationAddressPrefix": "*",
        "destinationPortRange": "8080", "sourcePortRange": "*", "provisioningState": "Succeeded",
    });
    let made = site.az(
        "network nsg rule create -g rg --nsg-name guard -n Web --priority 100 --access Allow \
         --source-address-prefixes 10.0.0.0/24 --destination-port-ranges 8080 --protocol Tcp \
         --direction Inbound",
    );
    has(&made, &rule);
    assert_eq!(
        site.az("network nsg rule list -g rg --nsg-name guard"),
        json!([made])
    );
    assert_eq!(
        site.az("network nsg rule show -g rg --nsg-name guard -n Web"),
        made
    );
    let table = "az network nsg rule list -g rg --nsg-name guard --include-default -o table";
    let table = site.text(table);
    assert_eq!(table.lines().count(), 9, "{table}");
    assert!(
        table.contains("DenyAllInBound") && table.contains("Web "),
        "{table}"
    );

    let subnet = "network vnet subnet update -g rg --vnet-name net -n backends";
    let bound = site.az(&format!("{subnet} --network-security-group guard"));
    assert_eq!(bound["networkSecurityGroup"]["id"], guard);
    assert_eq!(site.ask(80, "/", "a.test").await, (200, "one".to_owned()));
    let denied = site.az("network nsg rule update -g rg --nsg-name guard -n Web --access Deny");
    assert_eq!(denied["access"], "Deny");
    let probed = "show-backend-health --protocol Http --path / --host a.test --timeout 1 \
                  --address-pool appGatewayBackendPool \
                  --http-settings appGatewayBackendHttpSettings";
    let health = site.az(&format!("network application-gateway {probed} -g rg -n gw"));
    let server = &health["backendHealthHttpSettings"]["servers"][0];
    assert_eq!(server["health"], "Unhealthy", "{health:#}");

    let said = site.refused("network nsg delete -g rg -n guard");
    assert!(
        said.contains("(InUseNetworkSecurityGroupCannotBeDeleted)"),
        "{said}"
    );
    let free = site.az(&format!("{subnet} --remove networkSecurityGroup"));
    assert_eq!(free.get("networkSecurityGroup"), None);
    let health = site.az(&format!("network application-gateway {probed} -g rg -n gw"));
    let server = &health["backendHealthHttpSettings"]["servers"][0];
    assert_eq!(server["health"], "Healthy", "{health:#}");
    site.az("network nsg rule delete -g rg --nsg-name guard -n Web");
    application_groups(&site);
    site.az("network nsg delete -g rg -n guard");
    assert_eq!(site.az("network nsg list -g rg"), json!([]));
    assert_eq!(gw(&site, "probe list"), json!([]));
}

/// Names that rules have for machines.
fn application_groups(site: &Site) {
    let made = site.az("network asg create -g rg -n machines");
    let (name, state) = (&made["name"], &made["provisioningState"]);
    assert_eq!((name, state), (&json!("machines"), &json!("Succeeded")));
    assert_eq!(site.az("network asg show -g rg -n machines"), made);
    assert_eq!(site.az("network asg list -g rg"), json!([made]));
    let rule = site.az(
        "network nsg rule create -g rg --nsg-name guard -n Machines --priority 110 \
         --destination-asgs machines --destination-port-ranges 8080",
    );
    let group = id("Microsoft.Network/applicationSecurityGroups/machines");
    let groups = &rule["destinationApplicationSecurityGroups"];
    assert_eq!(groups[0]["id"], group, "{rule:#}");
    let said = site.refused("network asg delete -g rg -n machines");
    assert!(
        said.contains("is referenced by SecurityRule(s) Machines"),
        "{said}"
    );
    site.az("network nsg rule delete -g rg --nsg-name guard -n Machines");
    site.az("network asg delete -g rg -n machines");
    assert_eq!(site.az("network asg list -g rg"), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_looks_from_a_machine() {
    let backend = named("one").await;
    let Some(site) = site(&[("10.0.2.5:80", &backend)]) else {
        return;
    };
    site.az("group create -n rg -l local");
    site.az(
        "network vnet create -g rg -n net --subnet-name machines --subnet-prefixes 10.0.1.0/24",
    );
    site.az(
        "network vnet subnet create -g rg --vnet-name net -n backends \
         --address-prefixes 10.0.2.0/24",
    );
    let watchers = site.az("network watcher list");
    has(
        &watchers[0],
        &json!({
            "name": "NetworkWatcher_local", "location": "local",
            "resourceGroup": "NetworkWatcherRG",
            "provisioningState": "Succeeded",
        }),
    );
    assert_eq!(names(&watchers), ["NetworkWatcher_local"]);
    site.az("network nic create -g rg -n nic1 --vnet-name net --subnet machines");
    let interface = id("Microsoft.Network/networkInterfaces/nic1");
    let profile = json!({ "networkProfile": { "networkInterfaces": [{ "id": interface }] } });
    site.write("vm.json", profile.to_string());
    let machine = site.az(
        "resource create -g rg -n vm1 --resource-type Microsoft.Compute/virtualMachines \
         --properties @vm.json",
    );
    assert_eq!(machine["properties"]["provisioningState"], "Succeeded");

    let machine = id("Microsoft.Compute/virtualMachines/vm1");
    let to = "--dest-address 10.0.2.5 --dest-port 80";
    let connect = "network watcher test-connectivity";
    let told = site.az(&format!("{connect} --source-resource {machine} {to}"));
    has(
        &told,
        &json!({ "connectionStatus": "Reachable", "probesFailed": 0 }),
    );
    let hop = "network watcher show-next-hop -g rg --vm vm1 --source-ip 10.0.1.4 \
               --dest-ip 10.0.2.5 --nic nic1";
    has(&site.az(hop), &json!({ "nextHopType": "VirtualNetwork" }));

    site.az("network route-table create -g rg -n table");
    site.az(
        "network route-table route create -g rg --route-table-name table -n nowhere \
         --address-prefix 10.0.2.0/24 --next-hop-type None",
    );
    site.az("network vnet subnet update -g rg --vnet-name net -n machines --route-table table");
    let told = site.az(&format!("{connect} -g rg --source-resource vm1 {to}"));
    assert_eq!(told["connectionStatus"], "Unreachable");
    let table = id("Microsoft.Network/routeTables/table");
    has(
        &site.az(hop),
        &json!({ "nextHopType": "None", "routeTableId": table }),
    );
    let said = site.exits(3, &format!("{connect} -g rg --source-resource nosuch {to}"));
    assert!(
        said.contains("(ResourceNotFound)") && said.contains("nosuch"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_and_interfaces_and_addresses() {
    let Some(site) = site(&[]) else { return };
    site.az("group create -n rg -l local");
    site.az(
        "network vnet create -g rg -n net --subnet-name backends --subnet-prefixes 10.0.1.0/24",
    );
    let made = site.az("network route-table create -g rg -n table");
    has(
        &made,
        &json!({ "name": "table", "routes": [], "provisioningState": "Succeeded" }),
    );
    let made = site.az(
        "network route-table route create -g rg --route-table-name table -n out \
         --address-prefix 0.0.0.0/0 --next-hop-type VirtualAppliance \
         --next-hop-ip-address 10.0.2.4",
    );
    has(
        &made,
        &json!({
            "name": "out", "addressPrefix": "0.0.0.0/0", "nextHopType": "VirtualAppliance",
            "nextHopIpAddress": "10.0.2.4", "provisioningState": "Succeeded",
        }),
    );
    let listed = site.az("network route-table route list -g rg --route-table-name table");
    assert_eq!(listed, json!([made]));
    let bound =
        site.az("network vnet subnet update -g rg --vnet-name net -n backends --route-table table");
    assert_eq!(
        bound["routeTable"]["id"],
        id("Microsoft.Network/routeTables/table")
    );

    let made = site.az("network nic create -g rg -n card --vnet-name net --subnet backends");
    has(
        &made["NewNIC"],
        &json!({ "name": "card", "provisioningState": "Succeeded" }),
    );
    let configuration = &made["NewNIC"]["ipConfigurations"][0];
    assert_eq!(configuration["privateIPAddress"], "10.0.1.4");
    let configurations = site.az("network nic ip-config list -g rg --nic-name card");
    let one = site.az("network nic ip-config show -g rg --nic-name card -n ipconfig1");
    assert_eq!(configurations, json!([one]));
    let routes = site.az("network nic show-effective-route-table -g rg -n card");
    let routes = routes["value"].as_array().unwrap();
    let active = |from: &str| {
        let mut all = routes.iter();
        let found =
            all.find(|one| one["addressPrefix"] == json!([from]) && one["state"] == "Active");
        found.unwrap_or_else(|| panic!("no {from} in {routes:#?}"))
    };
    has(
        active("10.0.0.0/16"),
        &json!({ "nextHopType": "VnetLocal", "source": "Default" }),
    );
    has(
        active("0.0.0.0/0"),
        &json!({
            "nextHopType": "VirtualAppliance", "nextHopIpAddress": ["10.0.2.4"], "source": "User",
        }),
    );

    let made =
        site.az("network public-ip create -g rg -n ip --sku Standard --allocation-method Static");
    has(
        &made["publicIp"],
        &json!({
            "name": "ip", "publicIPAllocationMethod": "Static", "provisioningState": "Succeeded",
            "sku": { "name": "Standard" },
        }),
    );
    let address = site.az("network public-ip show -g rg -n ip --query ipAddress");
    assert_eq!(address, "127.100.0.1");

    let made = site.az("identity create -g rg -n who");
    has(
        &made,
        &json!({
            "name": "who", "tenantId": "00000000-0000-4000-8000-000000000002",
            "id": id("Microsoft.ManagedIdentity/userAssignedIdentities/who"),
        }),
    );
    assert_eq!(names(&site.az("identity list -g rg")), ["who"]);
    taken_away(&site);
}

/// The users before the used.
fn taken_away(site: &Site) {
    let subnet = "network vnet subnet delete -g rg --vnet-name net -n backends";
    let said = site.refused(subnet);
    assert!(said.contains("(InUseSubnetCannotBeDeleted)"), "{said}");
    let said = site.refused("network route-table delete -g rg -n table");
    assert!(said.contains("(InUseRouteTableCannotBeDeleted)"), "{said}");
    site.az("network nic delete -g rg -n card");
    site.az("network route-table route delete -g rg --route-table-name table -n out");
    let table = site.az("network route-table show -g rg -n table");
    assert_eq!(table["routes"], json!([]));
    site.az(subnet);
    let network = site.az("network vnet show -g rg -n net");
    assert_eq!(network["subnets"], json!([]));
    for ended in [
        "network route-table delete -g rg -n table",
        "network vnet delete -g rg -n net",
        "network public-ip delete -g rg -n ip",
        "identity delete -g rg -n who",
    ] {
        site.az(ended);
    }
    assert_eq!(site.az("resource list -g rg"), json!([]));
}
