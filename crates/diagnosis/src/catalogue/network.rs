//! Texts of the categories A, C, J, K and M: the ways between gateway, servers and platform.

use super::Texts;

texts! {
    NotListening {
        shows: "Backend health says Unhealthy: the gateway could not connect to the backend. \
            Clients get 502, and in the access log `serverStatus` is empty.",
        decides: "In `observations.json` a connection to the probed port is refused, and no other \
            port is open. A refusal comes from the machine itself, so rules and routes let the \
            packets through. Where another port is open it is GW-A02; where packets vanish it is \
            GW-A03 or GW-A06.",
        mends: "The backend's owner starts the application on that port, at all of the machine's \
            addresses and not at 127.0.0.1 alone. On the server, this shows what listens: `sudo ss \
            -ltnp 'sport = :PORT'`",
    }
    WrongPort {
        shows: "Backend health says Unhealthy: the gateway could not connect to the backend. The \
            application answers whoever asks it directly, because they use its real port.",
        decides: "`observations.json` has the probed port refused and another port open, or \
            `k8s-endpoints.json` has a port that differs from that of the backend setting or probe \
            in `gateway.json`. Without any open port it is GW-A01.",
        mends: "The gateway's owner corrects the port of the backend setting, or of the probe if \
            only that is wrong: `az network application-gateway http-settings update -g RG \
            --gateway-name GATEWAY -n SETTING --port PORT` Where a Kubernetes controller writes \
            the gateway, the service's owner corrects `targetPort` instead, since an edit by az is \
            reverted: `kubectl edit service SERVICE -n NAMESPACE`",
    }
    NsgBackendDeny {
        shows: "Backend health says Unhealthy: the gateway could not connect to the backend, or \
            the probe's time ran out. Machines in other subnets may reach the same server without \
            trouble.",
        decides: "`nsgs.json` has a rule that denies the probed port, either outbound at the \
            gateway's subnet or inbound at the backend's; `subnet.json` and `vnet.json` say which \
            group holds for which subnet. The rule with the lowest priority number that matches \
            decides. GW-A06 looks the same, but then every rule lets the packets through.",
        mends: "The network's owner adds a rule before the one that denies: `az network nsg rule \
            create -g RG --nsg-name NSG -n Allow-AppGW-Backend --priority PRIORITY --direction \
            Inbound --access Allow --protocol Tcp --source-address-prefixes GATEWAY-SUBNET \
            --source-port-ranges '*' --destination-address-prefixes ADDRESS \
            --destination-port-ranges PORT`",
    }
    MissingRoute {
        shows: "Backend health says Unhealthy: the gateway could not connect to the backend. \
            Connections from the gateway's subnet time out; they are never refused.",
        decides: "`route-tables.json` has a route of the gateway's subnet for the backend's \
            address whose next hop is None, or `vnet.json` has no address space or peering that \
            covers the address, or one that is not Connected; or `k8s-nodes.json` has a node whose \
            pods no route leads to. A route that leads to an appliance is GW-J01 or GW-J02. Where \
            the rules deny as well, mend GW-A03 too.",
        mends: "The network's owner removes the route, or adds one that leads to the backend, or \
            peers the two networks. To remove a route: `az network route-table route delete -g RG \
            --route-table-name TABLE -n ROUTE`",
    }
    UnroutableAddress {
        shows: "Backend health says Unhealthy: the gateway could not connect to the backend. The \
            address in the report is a loopback, link-local or multicast address, or an IPv6 \
            address, which backends cannot have.",
        decides: "The address in `gateway.json` or `backend-health.json` decides alone; nothing \
            has to be measured. GW-N01 is about an address that is possible but belongs to nobody \
            any more, and GW-A04 about one that exists elsewhere.",
        mends: "The gateway's owner puts the server's address in its network into the pool: `az \
            network application-gateway address-pool update -g RG --gateway-name GATEWAY -n POOL \
            --servers ADDRESS`",
    }
    HostFirewall {
        shows: "Backend health says Unhealthy: the gateway could not connect to the backend, or \
            the probe's time ran out. Neighbours of the server reach the port.",
        decides: "`observations.json` has the port timed out from the gateway's subnet and open \
            from elsewhere, while `nsgs.json` and `route-tables.json` let the gateway through. If \
            a rule denies it, it is GW-A03; if answers take another way back, GW-J02 looks the \
            same.",
        mends: "The backend's owner lets the gateway's whole subnet in, since the addresses of \
            instances change: `sudo ufw allow proto tcp from GATEWAY-SUBNET to any port PORT` On \
            Windows, `New-NetFirewallRule` does the same.",
    }
    V1ManagementPorts {
        shows: "Backend health says Unknown for every server, and does not change by waiting. \
            Requests may be answered all the same: the way of live traffic is not concerned.",
        decides: "`nsgs.json` denies inbound 65503-65534 at the gateway's subnet in `subnet.json`, \
            and the SKU in `gateway.json` does not end in `_v2`. A default route that leads \
            elsewhere, GW-J01, and names that cannot be resolved, GW-K01, show as Unknown too.",
        mends: "The network's owner lets the platform in: `az network nsg rule create -g RG \
            --nsg-name NSG -n Allow-AppGW-Management --priority PRIORITY --direction Inbound \
            --access Allow --protocol Tcp --source-address-prefixes GatewayManager \
            --source-port-ranges '*' --destination-address-prefixes '*' --destination-port-ranges \
            65503-65534` Backends that fail in spite of it have another cause.",
    }
    V2ManagementPorts {
        shows: "Backend health says Unknown for every server, or the health could not be \
            retrieved. Requests may be answered all the same, but changes of the gateway are \
            refused sooner or later.",
        decides: "`nsgs.json` denies inbound 65200-65535 at the gateway's subnet in `subnet.json`, \
            and the SKU in `gateway.json` ends in `_v2`. A subnet for network-isolated gateways \
            needs no such rule. A rule of one's own that denies everything keeps the \
            platform's load balancer out too (tag AzureLoadBalancer), which asks the instances on \
            these ports. GW-J01 and GW-M02 show as Unknown too.",
        mends: "The network's owner lets the platform in: `az network nsg rule create -g RG \
            --nsg-name NSG -n Allow-AppGW-Management --priority PRIORITY --direction Inbound \
            --access Allow --protocol Tcp --source-address-prefixes GatewayManager \
            --source-port-ranges '*' --destination-address-prefixes '*' --destination-port-ranges \
            65200-65535`",
    }
    V2ManagementPortsPutRejected {
        shows: "A change of the gateway fails with \
            `ApplicationGatewaySubnetInboundTrafficBlockedByNetworkSecurityGroup`. What was \
            configured before goes on serving.",
        decides: "`last-error.json` has that code, and `nsgs.json` shows the rule that denies \
            65200-65535. Without a refused change it is GW-C02; a refusal that speaks of outbound \
            traffic is GW-M01.",
        mends: "The network's owner lets GatewayManager in on 65200-65535, then the gateway's \
            owner repeats the change: `az network nsg rule create -g RG --nsg-name NSG -n \
            Allow-AppGW-Management --priority PRIORITY --direction Inbound --access Allow \
            --protocol Tcp --source-address-prefixes GatewayManager --source-port-ranges '*' \
            --destination-address-prefixes '*' --destination-port-ranges 65200-65535` A repetition \
            without changes: `az network application-gateway update -g RG -n GATEWAY`",
    }
    UdrDefaultRoute {
        shows: "Backend health says Unknown for every server, and does not change by waiting. The \
            gateway may still answer requests.",
        decides: "`route-tables.json` has a route for 0.0.0.0/0 at the gateway's subnet whose next \
            hop is not Internet, or `observations.json` shows that a default route is learnt over \
            BGP. Closed management ports, GW-C02, look the same and are read from `nsgs.json`. A \
            network-isolated gateway may have such a route.",
        mends: "The network's owner sends the default route of this subnet to the Internet: `az \
            network route-table route update -g RG --route-table-name TABLE -n ROUTE \
            --next-hop-type Internet` Where other subnets have the table too, the gateway's gets \
            one of its own, and theirs stays as it is: `az network vnet subnet update --ids SUBNET \
            --route-table NEW-TABLE` For a route that is learnt, a route for 0.0.0.0/0 of its own \
            overrides it: `az network route-table route create -g RG --route-table-name TABLE -n \
            Default --address-prefix 0.0.0.0/0 --next-hop-type Internet`",
    }
    AsymmetricRouting {
        shows: "Backend health says Unhealthy with a time that ran out, or Unknown, and clients \
            get 502. Tests from other machines to the same port pass.",
        decides: "`route-tables.json` sends the gateway's traffic straight to the backend and the \
            backend's answers to an appliance, or the other way round; `subnet.json` and \
            `vnet.json` say which table holds where. Closed ports, GW-A03, fail from all sides; a \
            firewall on the server, GW-A06, has no such routes.",
        mends: "The network's owner makes both ways the same: either a route for the gateway's \
            subnet at the backend's, or the same appliance in both directions. For example, \
            straight back to the gateway: `az network route-table route create -g RG \
            --route-table-name BACKEND-TABLE -n To-AppGW --address-prefix GATEWAY-SUBNET \
            --next-hop-type VnetLocal` See what really holds for a server: `az network nic \
            show-effective-route-table -g RG -n NIC -o table`",
    }
    ReturnPathSnat {
        shows: "Connections of the gateway time out although the server gets them, or health is \
            Unknown with a message about status 200. The server sees an address that is not in the \
            gateway's subnet.",
        decides: "`observations.json` shows the source address at the server, and \
            `route-tables.json` the appliance that changes it. If the source address is untouched \
            and only the way differs, it is GW-J02. A server that drops the changed address by its \
            own firewall is GW-A06.",
        mends: "The network's owner takes the translation of addresses between the gateway's \
            subnet and the backend's off the appliance, or gives the backend a way back to the \
            changed address. See the way of the answers: `az network nic \
            show-effective-route-table -g RG -n NIC -o table`",
    }
    DnsUnresolvableBackend {
        shows: "Backend health says that no probe could be created because the name is not right, \
            or Unknown after a change of the gateway. Clients get 502 for this pool.",
        decides: "`observations.json` has a look-up of the member's name by the network's own \
            servers that failed; `vnet.json` lists these servers under `dhcpOptions`. Another \
            server may know the name: then the zone is missing or not linked. A name that resolves \
            to an old address is GW-K02, to a public one instead of a private one GW-K03.",
        mends: "The owner of DNS adds the record, or links the private zone to the gateway's \
            network: `az network private-dns link vnet create -g RG -z ZONE -n LINK -v VNET -e \
            false` Where the network has name servers of its own, a link is nothing to them: they \
            must forward the zone to 168.63.129.16, from a network that it is linked to. If the \
            network's servers were changed, the gateway keeps the old ones until it \
            is started anew; nothing is served meanwhile: `az network application-gateway stop -g \
            RG -n GATEWAY` Then: `az network application-gateway start -g RG -n GATEWAY`",
    }
    DnsStaleCache {
        shows: "Clients get 502 or answers of the old server after a record was changed, while the \
            name has the right address everywhere else. Part of the requests may succeed.",
        decides: "`access-logs.json` has `serverRouted` with an address that the name does not \
            have in `observations.json`. If the pool in `gateway.json` holds addresses instead of \
            names, it is GW-N01. If look-ups fail now, GW-K01 is the reason why the last good \
            address stays in use.",
        mends: "The gateway's owner writes the pool again, which makes the gateway look the name \
            up: `az network application-gateway address-pool update -g RG --gateway-name GATEWAY \
            -n POOL --servers NAME` The owner of DNS lowers the record's lifetime before the next \
            move.",
    }
    DnsAzureResolverForced {
        shows: "The member's name has a private address on the network's own servers, and the \
            gateway goes to the public one. The service answers 403, or the connection is not \
            made.",
        decides: "`vnet.json` has name servers of its own, the name belongs to the platform, and \
            `observations.json` has different answers of these servers and of 168.63.129.16; \
            `private-dns-links.json` has no link of the zone to the gateway's network. Gateways \
            with a public address ask 168.63.129.16 for such names. GW-I03 looks the same where \
            the service's firewall is meant to let the public address in.",
        mends: "The owner of DNS links the private zone to the gateway's network, so that the \
            platform's resolver knows it too: `az network private-dns link vnet create -g RG -z \
            ZONE -n LINK -v VNET -e false` Then the gateway's owner has the name looked up again: \
            `az network application-gateway update -g RG -n GATEWAY`",
    }
    GatewaySubnetOutboundNsg {
        shows: "A change of the gateway is refused, or health is Unknown, certificates cannot be \
            fetched from the vault, or revocation cannot be checked. Live traffic to known \
            backends may work.",
        decides: "`nsgs.json` has an outbound rule at the gateway's subnet that denies the \
            Internet, and `subnet.json` shows that the group holds there; `last-error.json` may \
            name it. An inbound rule is GW-C02; a firewall behind the route is GW-M02. A \
            network-isolated gateway may have such a rule.",
        mends: "The network's owner lets the subnet out before the rule that denies: `az network \
            nsg rule create -g RG --nsg-name NSG -n Allow-AppGW-Internet --priority PRIORITY \
            --direction Outbound --access Allow --protocol '*' --source-address-prefixes '*' \
            --source-port-ranges '*' --destination-address-prefixes Internet \
            --destination-port-ranges '*'`",
    }
    PlatformEgressBlocked {
        shows: "Health is Unknown, or changes of the gateway take long and fail, though the \
            security groups are open. Certificates from the vault and lists of revoked \
            certificates cannot be fetched.",
        decides: "`route-tables.json` leads the gateway's traffic to a firewall, and \
            `observations.json` shows connections to the platform that fail from the gateway's \
            subnet while `nsgs.json` allows them. A rule of the subnet itself is GW-M01; the route \
            alone, without a firewall that blocks, is GW-J01.",
        mends: "The network's owner lets the gateway's subnet through the firewall to the \
            platform, the vault and the certificate authorities, or sends the default route to the \
            Internet: `az network route-table route update -g RG --route-table-name TABLE -n ROUTE \
            --next-hop-type Internet`",
    }
}
