//! Every reference of a gateway, in one list: who refers, to what kind of resource.

use crate::model::{
    AdvancedRoutingConditionSet, AdvancedRoutingMap, AuthenticationCertificate, BackendAddressPool,
    BackendHttpSettings, BackendSettings, EntraJwtValidationConfig, FrontendIpConfiguration,
    FrontendPort, GatewayIpConfiguration, HttpListener, Item, Listener, LoadDistributionPolicy,
    PrivateLinkConfiguration, Probe, RedirectConfiguration, RequestRoutingRule, RewriteRuleSet,
    RoutingRule, SslCertificate, SslProfile, TrustedClientCertificate, TrustedRootCertificate,
    UrlPathMap,
};
use crate::model::{
    ApplicationGateway, ChildResource, GATEWAY_TYPE, GatewayChild, Properties, Reference,
};

pub(crate) const SUBNET: &str = "Microsoft.Network/virtualNetworks/subnets";
pub(crate) const PUBLIC_IP: &str = "Microsoft.Network/publicIPAddresses";
pub(crate) const FIREWALL_POLICY: &str =
    "Microsoft.Network/ApplicationGatewayWebApplicationFirewallPolicies";

/// What a reference must lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// An item of this collection of the same gateway.
    Child(&'static str),
    /// A resource of this type outside.
    Outside(&'static str),
}

impl Target {
    /// The words of the full type that the reference must have.
    pub(crate) fn type_words(self) -> impl Iterator<Item = &'static str> {
        let (first, last) = match self {
            Self::Child(collection) => (GATEWAY_TYPE, Some(collection)),
            Self::Outside(kind) => (kind, None),
        };
        first.split('/').chain(last)
    }
}

/// Who holds a reference: the gateway itself, an item of it, or a child of an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owner<'a> {
    /// Collection and name.
    item: Option<(&'static str, &'a str)>,
    child: Option<(&'static str, &'a str)>,
}

impl<'a> Owner<'a> {
    fn of_child(self, collection: &'static str, name: &'a str) -> Self {
        let child = Some((collection, name));
        match self.item {
            None => Self {
                item: child,
                child: None,
            },
            Some(_) => Self { child, ..self },
        }
    }

    /// The gateway's collection that the owner is in; empty for the gateway itself.
    pub(crate) fn collection(&self) -> &'static str {
        self.item.map_or("", |(collection, _)| collection)
    }

    /// The owner's own collection: another one where the owner is a child of a child.
    pub(crate) fn kind(&self) -> &'static str {
        self.child.or(self.item).map_or("", |(kind, _)| kind)
    }

    /// The owner's id, in the gateway whose id is `gateway`.
    pub(crate) fn id(&self, gateway: &str) -> String {
        let mut id = gateway.to_owned();
        for (collection, name) in self.item.into_iter().chain(self.child) {
            id.extend(["/", collection, "/", name]);
        }
        id
    }
}

/// A reference, and who holds it.
pub(crate) struct Link<'a> {
    pub(crate) owner: Owner<'a>,
    pub(crate) reference: &'a Reference,
    pub(crate) target: Target,
}

/// The names of the items of each collection, in order.
pub(crate) fn names(p: &Properties) -> Vec<(&'static str, Vec<&str>)> {
    fn of<T: GatewayChild>(p: &Properties) -> (&'static str, Vec<&str>) {
        (
            T::COLLECTION,
            T::items(p).iter().map(|item| item.name.as_str()).collect(),
        )
    }
    vec![
        of::<GatewayIpConfiguration>(p),
        of::<SslCertificate>(p),
        of::<AuthenticationCertificate>(p),
        of::<TrustedRootCertificate>(p),
        of::<TrustedClientCertificate>(p),
        of::<SslProfile>(p),
        of::<FrontendIpConfiguration>(p),
        of::<FrontendPort>(p),
        of::<BackendAddressPool>(p),
        of::<LoadDistributionPolicy>(p),
        of::<BackendHttpSettings>(p),
        of::<BackendSettings>(p),
        of::<HttpListener>(p),
        of::<Listener>(p),
        of::<UrlPathMap>(p),
        of::<RequestRoutingRule>(p),
        of::<RoutingRule>(p),
        of::<AdvancedRoutingMap>(p),
        of::<AdvancedRoutingConditionSet>(p),
        of::<Probe>(p),
        of::<RewriteRuleSet>(p),
        of::<RedirectConfiguration>(p),
        of::<PrivateLinkConfiguration>(p),
        of::<EntraJwtValidationConfig>(p),
    ]
}

/// Collects links; `child` and `outside` take optional references as they stand in the model.
struct Collector<'a> {
    links: Vec<Link<'a>>,
    owner: Owner<'a>,
}

impl<'a> Collector<'a> {
    fn push(&mut self, target: Target, references: impl IntoIterator<Item = &'a Reference>) {
        self.links
            .extend(references.into_iter().map(|reference| Link {
                owner: self.owner,
                reference,
                target,
            }));
    }

    fn child<T: ChildResource>(&mut self, references: impl IntoIterator<Item = &'a Reference>) {
        self.push(Target::Child(T::COLLECTION), references);
    }

    fn outside(&mut self, kind: &'static str, reference: &'a Option<Reference>) {
        self.push(Target::Outside(kind), reference);
    }

    /// Visits the items of a collection, with the owner set to each.
    fn each<T: ChildResource>(
        &mut self,
        parent: Owner<'a>,
        items: &'a [Item<T>],
        visit: impl Fn(&mut Self, &'a T),
    ) {
        for item in items {
            self.owner = parent.of_child(T::COLLECTION, &item.name);
            visit(self, &item.properties);
        }
    }

    fn top<T: GatewayChild>(&mut self, p: &'a Properties, visit: impl Fn(&mut Self, &'a T)) {
        self.each(Owner::default(), T::items(p), visit);
    }
}

/// Every reference of the gateway.
pub(crate) fn collect(gateway: &ApplicationGateway) -> Vec<Link<'_>> {
    let p = &gateway.properties;
    let mut c = Collector {
        links: Vec::new(),
        owner: Owner::default(),
    };
    c.outside(FIREWALL_POLICY, &p.firewall_policy);
    frontend(&mut c, p);
    backend(&mut c, p);
    rules(&mut c, p);
    path_maps(&mut c, p);
    advanced(&mut c, p);
    c.links
}

fn frontend<'a>(c: &mut Collector<'a>, p: &'a Properties) {
    c.top::<GatewayIpConfiguration>(p, |c, i| c.outside(SUBNET, &i.subnet));
    c.top::<FrontendIpConfiguration>(p, |c, i| {
        c.outside(SUBNET, &i.subnet);
        c.outside(PUBLIC_IP, &i.public_ip_address);
        c.child::<PrivateLinkConfiguration>(&i.private_link_configuration);
    });
    c.top::<PrivateLinkConfiguration>(p, |c, i| {
        let owner = c.owner;
        c.each(owner, &i.ip_configurations, |c, i| {
            c.outside(SUBNET, &i.subnet)
        });
    });
    c.top::<HttpListener>(p, |c, i| {
        c.child::<FrontendIpConfiguration>(&i.frontend_ip_configuration);
        c.child::<FrontendPort>(&i.frontend_port);
        c.child::<SslCertificate>(&i.ssl_certificate);
        c.child::<SslProfile>(&i.ssl_profile);
        c.outside(FIREWALL_POLICY, &i.firewall_policy);
    });
    c.top::<Listener>(p, |c, i| {
        c.child::<FrontendIpConfiguration>(&i.frontend_ip_configuration);
        c.child::<FrontendPort>(&i.frontend_port);
        c.child::<SslCertificate>(&i.ssl_certificate);
        c.child::<SslProfile>(&i.ssl_profile);
    });
    c.top::<SslProfile>(p, |c, i| {
        c.child::<TrustedClientCertificate>(&i.trusted_client_certificates);
    });
}

fn backend<'a>(c: &mut Collector<'a>, p: &'a Properties) {
    c.top::<BackendHttpSettings>(p, |c, i| {
        c.child::<Probe>(&i.probe);
        c.child::<AuthenticationCertificate>(&i.authentication_certificates);
        c.child::<TrustedRootCertificate>(&i.trusted_root_certificates);
    });
    c.top::<BackendSettings>(p, |c, i| {
        c.child::<Probe>(&i.probe);
        c.child::<TrustedRootCertificate>(&i.trusted_root_certificates);
    });
    c.top::<LoadDistributionPolicy>(p, |c, i| {
        let owner = c.owner;
        c.each(owner, &i.load_distribution_targets, |c, i| {
            c.child::<BackendAddressPool>(&i.backend_address_pool);
        });
    });
}

fn rules<'a>(c: &mut Collector<'a>, p: &'a Properties) {
    c.top::<RequestRoutingRule>(p, |c, i| {
        c.child::<HttpListener>(&i.http_listener);
        c.child::<BackendAddressPool>(&i.backend_address_pool);
        c.child::<BackendHttpSettings>(&i.backend_http_settings);
        c.child::<UrlPathMap>(&i.url_path_map);
        c.child::<AdvancedRoutingMap>(&i.advanced_routing_map);
        c.child::<RewriteRuleSet>(&i.rewrite_rule_set);
        c.child::<RedirectConfiguration>(&i.redirect_configuration);
        c.child::<LoadDistributionPolicy>(&i.load_distribution_policy);
        c.child::<EntraJwtValidationConfig>(&i.entra_jwt_validation_config);
    });
    c.top::<RoutingRule>(p, |c, i| {
        c.child::<Listener>(&i.listener);
        c.child::<BackendAddressPool>(&i.backend_address_pool);
        c.child::<BackendSettings>(&i.backend_settings);
    });
    c.top::<RedirectConfiguration>(p, |c, i| c.child::<HttpListener>(&i.target_listener));
}

fn path_maps<'a>(c: &mut Collector<'a>, p: &'a Properties) {
    c.top::<UrlPathMap>(p, |c, i| {
        let owner = c.owner;
        c.child::<BackendAddressPool>(&i.default_backend_address_pool);
        c.child::<BackendHttpSettings>(&i.default_backend_http_settings);
        c.child::<RewriteRuleSet>(&i.default_rewrite_rule_set);
        c.child::<RedirectConfiguration>(&i.default_redirect_configuration);
        c.child::<LoadDistributionPolicy>(&i.default_load_distribution_policy);
        c.each(owner, &i.path_rules, |c, i| {
            c.child::<BackendAddressPool>(&i.backend_address_pool);
            c.child::<BackendHttpSettings>(&i.backend_http_settings);
            c.child::<RedirectConfiguration>(&i.redirect_configuration);
            c.child::<RewriteRuleSet>(&i.rewrite_rule_set);
            c.child::<LoadDistributionPolicy>(&i.load_distribution_policy);
            c.outside(FIREWALL_POLICY, &i.firewall_policy);
        });
    });
}

fn advanced<'a>(c: &mut Collector<'a>, p: &'a Properties) {
    c.top::<AdvancedRoutingMap>(p, |c, i| {
        let owner = c.owner;
        c.child::<BackendAddressPool>(&i.default_backend_address_pool);
        c.child::<BackendHttpSettings>(&i.default_backend_http_settings);
        c.child::<RedirectConfiguration>(&i.default_redirect_configuration);
        c.child::<RewriteRuleSet>(&i.default_rewrite_rule_set);
        c.each(owner, &i.advanced_routing_rules, |c, i| {
            c.child::<AdvancedRoutingConditionSet>(&i.advanced_routing_condition_set);
            c.child::<BackendAddressPool>(&i.backend_address_pool);
            c.child::<BackendHttpSettings>(&i.backend_http_settings);
            c.child::<RedirectConfiguration>(&i.redirect_configuration);
            c.child::<RewriteRuleSet>(&i.rewrite_rule_set);
        });
    });
}
