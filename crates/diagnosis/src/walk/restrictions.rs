//! Web apps that refuse the gateway, or are stopped.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use gatewright_arm::Item;
use gatewright_arm::model::network::Subnet;

use super::{Walk, finding};
use crate::cause::{Cause, Owner};
use crate::evidence::{Http, Place, Restriction, WebApp};
use crate::finding::{Confidence, Finding, Fix};
use crate::lookup::addresses_in;
use crate::remedy::{fix, word};
use crate::site::Target;

/// App Services know a subnet by it.
const WEB: &str = "Microsoft.Web";
pub(super) const KEY_VAULT: &str = "Microsoft.KeyVault";

/// Whether an address is one of those that carriers share among customers (RFC 6598), which
/// networks take for private ones.
fn is_shared(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    first == 100 && (64..128).contains(&second)
}

/// The service endpoints that a subnet has.
struct Endpoints {
    services: Vec<String>,
    place: Place,
}

impl Endpoints {
    fn has(&self, service: &str) -> bool {
        let mut own = self.services.iter();
        own.any(|one| one.eq_ignore_ascii_case(service))
    }
}

const STATIC_APPS: &str = ".azurestaticapps.net";

impl Walk<'_> {
    /// An App Service, or another service of the platform, that lets the gateway not in.
    pub(super) fn restricted(&self, target: &Target<'_>, status: Option<u16>) -> Option<Finding> {
        if status != Some(403) {
            return None;
        }
        let address = target.row.address.to_lowercase();
        let host = target.probed_host();
        let app = self
            .evidence
            .web_apps
            .iter()
            .find(|app| app.answers_to(&address) || app.answers_to(&host));
        if let Some(app) = app {
            if app.is_stopped() {
                return Some(self.stopped_app(target, app));
            }
            if app.is_private() && !self.has_private_address(target) {
                return Some(self.private_app(target, app));
            }
            if app.denies_all() {
                return Some(self.closed_app(target, app));
            }
            let (lets_in, decides) = app.decides_on(&self.subnet_id())?;
            // Who comes without the service's endpoint comes from a public address.
            let has_endpoint = self.endpoints_of_subnet().is_some_and(|own| own.has(WEB));
            let public = self.public_address().filter(|_| !has_endpoint);
            if !lets_in && public.is_some_and(|own| app.lets_in_address(own)) {
                return None;
            }
            if lets_in {
                return self.without_endpoint(target, app, decides);
            }
            let title = format!(
                "The access restrictions of the App Service {} do not let the gateway in ({}): it \
                 answers 403.",
                app.name, decides.name
            );
            let says = format!("the restriction {} decides", decides.name);
            // An address that is let in may be the gateway's, where its subnet has no endpoint.
            let confidence = match app.may_let_in_before(decides) {
                true => Confidence::Likely,
                false => Confidence::Certain,
            };
            return Some(
                finding(Cause::AppServiceAccessRestriction, confidence, title)
                    .because([
                        self.because(&target.row.place, "the probe gets 403"),
                        self.because(&decides.place, says),
                    ])
                    .fixed_by(self.let_in(app)),
            );
        }
        if address.ends_with(".azurewebsites.net") && app.is_none() {
            let title = format!("The App Service {address} answers 403 to the probe.");
            return Some(finding(Cause::Probe403, Confidence::Possible, title));
        }
        let platform = [
            STATIC_APPS,
            ".blob.core.windows.net",
            ".web.core.windows.net",
            ".vault.azure.net",
        ];
        let is_of_platform = platform.iter().any(|suffix| address.ends_with(suffix));
        is_of_platform.then(|| {
            let title = format!(
                "The firewall of {address} does not let the gateway in: it \
                                 answers 403."
            );
            finding(Cause::PaasAccessRestriction, Confidence::Likely, title)
                .because([self.because(&target.row.place, "the probe gets 403")])
                .fixed_by(self.let_in_at(&address))
        })
    }

    /// Whether a server's name stands for an address of a private network.
    fn has_private_address(&self, target: &Target<'_>) -> bool {
        let mut addresses = self.addresses_of(&target.row.address).into_iter();
        addresses.any(|one| match one {
            IpAddr::V4(one) => one.is_private() || is_shared(one),
            IpAddr::V6(_) => false,
        })
    }

    /// An App Service that lets nobody in.
    fn closed_app(&self, target: &Target<'_>, app: &WebApp) -> Finding {
        let title = format!(
            "The App Service {} has no restriction that lets anybody in, and denies whom none is \
             for: it answers 403.",
            app.name
        );
        finding(
            Cause::AppServiceAccessRestriction,
            Confidence::Certain,
            title,
        )
        .because([
            self.because(&target.row.place, "the probe gets 403"),
            self.because(&app.place, "ipSecurityRestrictionsDefaultAction is Deny"),
        ])
        .fixed_by(self.let_in(app))
    }

    /// An App Service whose public access is switched off, asked at its public address.
    fn private_app(&self, target: &Target<'_>, app: &WebApp) -> Finding {
        let address = &target.row.address;
        let title = format!(
            "The App Service {} takes no requests from public addresses, and answers the gateway \
             403: it is not asked at a private endpoint.",
            app.name
        );
        let confidence = match self.addresses_of(address).is_empty() {
            true => Confidence::Likely,
            false => Confidence::Certain,
        };
        let (group, name) = self.named_in_commands(Some(app));
        let find = match self.unlinked_zone(address) {
            Some(zone) => self.link(zone),
            None => fix(
                Owner::Dns,
                format!(
                    "Have the gateway's network find the private endpoint of {address}: a link of \
                     the zone privatelink.azurewebsites.net to it."
                ),
            )
            .run(format!(
                "az network private-dns link vnet create -g {group} -z \
                 privatelink.azurewebsites.net -n appgw -v {} -e false   # in the zone's group",
                word(&self.network_id().unwrap_or_else(|| "VNET-ID".to_owned()))
            ))
            .run(self.commands.gateway("update"))
            .verified_by(self.commands.verify_health()),
        };
        let give = |find: Fix| match app.has_no_endpoint {
            true => {
                let summary = "Give it a private endpoint in the gateway's network, in a subnet of \
                               its own, and a link of its zone.";
                let id = if app.id.is_empty() { "APP-ID" } else { &app.id };
                let network = self.network_id().unwrap_or_default();
                let group = self.group_of_id(&network);
                let create = format!(
                    "az network private-endpoint create -g {group} -n {name} --subnet SUBNET-ID \
                     --private-connection-resource-id {} --group-id sites --connection-name {name}",
                    word(id)
                );
                let zone = format!(
                    "az network private-dns zone create -g {group} -n privatelink.azurewebsites.net"
                );
                let link = format!(
                    "az network private-dns link vnet create -g {group} -z \
                     privatelink.azurewebsites.net -n appgw -v {} -e false",
                    word(&network)
                );
                let record = format!(
                    "az network private-endpoint dns-zone-group create -g {group} --endpoint-name \
                     {name} -n default --private-dns-zone privatelink.azurewebsites.net \
                     --zone-name web"
                );
                let update = self.commands.gateway("update");
                let all = [create, zone, link, record, update];
                let both = fix(Owner::Platform, summary);
                let both = all.into_iter().fold(both, Fix::run);
                both.verified_by(find.verify)
            }
            false => find,
        };
        finding(Cause::AppServiceAccessRestriction, confidence, title)
            .because([
                self.because(&target.row.place, "the probe gets 403"),
                self.because(&app.place, "publicNetworkAccess is Disabled"),
            ])
            .fixed_by(give(find))
    }

    /// An App Service that lets the gateway's subnet in, which says nothing of itself: only with
    /// the service's endpoint does a request from it have the subnet for its source.
    fn without_endpoint(
        &self,
        target: &Target<'_>,
        app: &WebApp,
        decides: &Restriction,
    ) -> Option<Finding> {
        let endpoints = self.endpoints_of_subnet()?;
        let (lets_in_all, may_let_in) = app.decides_on_addresses();
        let is_by_subnet = !decides.subnet.is_empty();
        let is_by_endpoint = self.has_private_address(target);
        if !is_by_subnet || endpoints.has(WEB) || lets_in_all || is_by_endpoint {
            return None;
        }
        let title = format!(
            "The App Service {} lets the gateway's subnet in ({}), and the subnet has no service \
             endpoint {WEB}: requests come from the gateway's public address, which no rule for \
             subnets lets in.",
            app.name, decides.name
        );
        // Which address that is stands nowhere here.
        // Somebody whom it lets in gets the page, so that the application itself refuses nobody.
        let path = target.probed_path();
        let answered = self.evidence.observations.http.iter().filter(|one| {
            let host = one.host().unwrap_or_default();
            let is_page = one.path.as_deref() == Some(&*path);
            one.status.is_some_and(|status| status < 400) && app.answers_to(host) && is_page
        });
        let (inside, outside): (Vec<&Http>, Vec<&Http>) =
            answered.partition(|one| self.is_from_gateway(&one.from));
        if !inside.is_empty() {
            return None;
        }
        let is_answered = !outside.is_empty();
        let confidence = match (may_let_in, is_answered) {
            (true, true) => Confidence::Likely,
            (true, false) => Confidence::Possible,
            (false, _) => Confidence::Certain,
        };
        let mut all = endpoints.services;
        all.push(WEB.to_owned());
        let mend = fix(
            Owner::Network,
            format!("Give the gateway's subnet the service endpoint {WEB}, beside those it has."),
        )
        .run(self.set_endpoints(&all))
        .verified_by(self.commands.verify_health());
        Some(
            finding(Cause::AppServiceAccessRestriction, confidence, title)
                .because([
                    self.because(&target.row.place, "the probe gets 403"),
                    self.because(&decides.place, "is for what comes over the endpoint alone"),
                    self.because(&endpoints.place, "the endpoints that the subnet has"),
                ])
                .fixed_by(mend),
        )
    }

    /// Gives the gateway's subnet a service endpoint beside those it has, where it is known to lack
    /// that.
    pub(super) fn give_endpoint(&self, service: &str) -> Option<String> {
        let endpoints = self.endpoints_of_subnet().filter(|own| !own.has(service))?;
        let mut all = endpoints.services;
        all.push(service.to_owned());
        Some(self.set_endpoints(&all))
    }

    fn set_endpoints(&self, all: &[String]) -> String {
        format!(
            "az network vnet subnet update --ids {} --service-endpoints {}",
            word(&self.subnet_id()),
            all.join(" ")
        )
    }

    /// The service endpoints of the gateway's subnet; nothing where no document lists them.
    fn endpoints_of_subnet(&self) -> Option<Endpoints> {
        let id = self.subnet_id();
        let files = self.evidence.network_resources.iter();
        let mut subnets = files.flat_map(|(file, resources)| {
            let own = resources.subnets.iter();
            let networks = resources.virtual_networks.iter();
            let within = networks.flat_map(|one| &one.properties.subnets);
            own.chain(within).map(move |one| (file, one))
        });
        let is_own = |one: &Item<Subnet>| {
            let own = one.id.as_deref();
            own.is_some_and(|own| own.eq_ignore_ascii_case(&id))
        };
        let (file, subnet) = subnets.find(|(_, one)| is_own(one))?;
        let place = Place::new(file.as_str(), subnet.pointer_to("serviceEndpoints"));
        let list = self.evidence.value_at(&place).as_array()?;
        let services = list.iter().filter_map(|one| one.get("service")?.as_str());
        Some(Endpoints {
            services: services.map(str::to_owned).collect(),
            place,
        })
    }

    pub(super) fn ask_for_app(&mut self, address: &str) {
        // What stands within quotes is a host, or nothing.
        let is_host = |letter: char| letter.is_ascii_alphanumeric() || "-.".contains(letter);
        let address = match address.chars().all(is_host) {
            true => address,
            false => "HOST",
        };
        // Its name need not be in its host; and a list tells nothing of restrictions.
        let ids = format!(
            "az webapp list --query \"[?contains(hostNames, '{address}')].id | [0]\" -o tsv"
        );
        self.need(
            "webapp.json",
            "its access restrictions, or that it is stopped, look the same to a probe",
            format!("az webapp show --ids \"$({ids})\" -o json > webapp.json"),
        );
    }

    /// A rule of the service's own firewall.
    fn let_in_at(&self, address: &str) -> Fix {
        let name = word(address.split('.').next().unwrap_or_default());
        let subnet = word(&self.subnet_id());
        let group = word(self.commands.group());
        if address.ends_with(STATIC_APPS) {
            return self.let_in_at_static_app(address, &subnet);
        }
        let (service, command) = match address.ends_with(".vault.azure.net") {
            true => (
                KEY_VAULT,
                format!("az keyvault network-rule add --name {name} --subnet {subnet}"),
            ),
            false => (
                "Microsoft.Storage",
                format!(
                    "az storage account network-rule add -g {group} --account-name {name} \
                     --subnet {subnet}"
                ),
            ),
        };
        let summary = "Let the gateway's subnet in at the service's firewall.";
        let mut mend = fix(Owner::Backend, summary);
        mend.commands.extend(self.give_endpoint(service));
        mend.run(command)
            .risking("The subnet needs the service's endpoint; everything else in it gets in too.")
            .verified_by(self.commands.verify_health())
    }

    /// A static web app has no firewall that a command writes: its own configuration has.
    fn let_in_at_static_app(&self, address: &str, subnet: &str) -> Fix {
        let own = match self.public_address() {
            Some(own) => format!("the gateway's outbound address {own}"),
            None => "the gateway's outbound address".to_owned(),
        };
        let summary = format!(
            "Let {own} in (networking.allowedIpRanges in staticwebapp.config.json of the \
             application at {address}), or give the application a private endpoint beside the \
             gateway."
        );
        fix(Owner::Backend, summary)
            .run("grep -n -A5 allowedIpRanges staticwebapp.config.json")
            .run(format!(
                "az network private-endpoint create -g GROUP -n static-app --subnet SUBNET \
                 --private-connection-resource-id APP-ID --group-id staticSites --connection-name \
                 static-app   # not the gateway's own subnet {subnet}"
            ))
            .verified_by(self.commands.verify_health())
    }

    /// The gateway's public address, where somebody asked for the name that the platform gave it,
    /// or for a host of its listeners.
    fn public_address(&self) -> Option<IpAddr> {
        let listeners = self.evidence.gateway.properties.http_listeners.iter();
        let hosts: Vec<&str> = listeners.flat_map(|one| one.properties.hosts()).collect();
        let gateway = self.evidence.gateway.name.to_lowercase();
        // The platform's names begin with what their owner called them.
        let is_own = |name: &str| {
            let label = name.split('.').next().unwrap_or_default().to_lowercase();
            let is_named = label == gateway || label.starts_with(&format!("{gateway}-"));
            name.ends_with(".cloudapp.azure.com") && is_named
                || hosts.iter().any(|host| host.eq_ignore_ascii_case(name))
        };
        let dns = self.evidence.observations.dns.iter();
        let found: BTreeSet<IpAddr> = dns
            .filter_map(|one| {
                let mut answers = one.answers.iter().filter_map(|one| one.parse().ok());
                let public = answers.find(|own| match own {
                    IpAddr::V4(own) => !own.is_private() && !own.is_loopback(),
                    IpAddr::V6(_) => false,
                });
                public.filter(|_| is_own(&one.name))
            })
            .collect();
        // Of several, some are those of what stands before the gateway.
        match found.iter().collect::<Vec<_>>().as_slice() {
            [] => self.public_address_seen(),
            [only] => Some(**only),
            _ => None,
        }
    }

    /// The public address that somebody wrote beside what the gateway asked.
    fn public_address_seen(&self) -> Option<IpAddr> {
        let observations = &self.evidence.observations;
        let http = observations.http.iter().map(|one| &one.from);
        let tcp = observations.tcp.iter().map(|one| &one.from);
        // Neither machines of its subnet nor other gateways.
        const OTHERS: [&str; 6] = ["subnet", "vm", "nat", "vpn", "agent", "not"];
        let mut gateways = http.chain(tcp).filter(|from| {
            let from = from.to_lowercase();
            from.starts_with("gateway") && !OTHERS.iter().any(|word| from.contains(word))
        });
        gateways.find_map(|from| {
            let public: Vec<_> = addresses_in(from)
                .filter(|one| !one.is_private() && !one.is_loopback())
                .collect();
            match public.as_slice() {
                [only] => Some(IpAddr::V4(*only)),
                _ => None,
            }
        })
    }

    fn stopped_app(&self, target: &Target<'_>, app: &WebApp) -> Finding {
        let title = format!(
            "The App Service {} is stopped, and answers 403 to everything.",
            app.name
        );
        let (group, name) = self.named_in_commands(Some(app));
        finding(Cause::Probe403, Confidence::Certain, title)
            .because([
                self.because(&target.row.place, "the probe gets 403"),
                self.because(&app.place, "it is stopped"),
            ])
            .fixed_by(
                fix(Owner::Backend, "Start the App Service.")
                    .run(format!("az webapp start -g {group} -n {name}"))
                    .verified_by(self.commands.verify_health()),
            )
    }

    fn let_in(&self, app: &WebApp) -> Fix {
        let subnet = self.subnet_id();
        let (group, name) = self.named_in_commands(Some(app));
        fix(Owner::Backend, "Let the gateway's subnet in.")
            .run(format!(
                "az webapp config access-restriction add -g {group} -n {name} --rule-name appgw \
                 --action Allow --priority 100 --subnet {}",
                word(&subnet)
            ))
            .risking("Everything else in that subnet gets in too.")
            .verified_by(self.commands.verify_health())
    }
}
