//! What may not change from one PUT to the next.

use super::checker::Checker;
use crate::codes;

pub(crate) fn check(c: &mut Checker<'_>) {
    let Some(previous) = c.context.previous else {
        return;
    };
    let (old, new) = (&previous.properties, c.properties);
    let firewall = |p: &crate::model::Properties| p.web_application_firewall_configuration.clone();
    if let Some(policy) = &new.firewall_policy
        && old.firewall_policy.is_some()
        && firewall(new).is_some()
        && firewall(old) != firewall(new)
    {
        let message = format!(
            "WebApplicationFirewallConfiguration cannot be changed when there is a WAF Policy {} \
             associated with it.",
            policy.id
        );
        let at = c.pointer_to("webApplicationFirewallConfiguration");
        c.error(
            "ApplicationGatewayWafConfigurationCannotBeChangedWithWafPolicy",
            message,
            at,
        );
    }
    let keeps_waf = c.tier.is_some_and(|tier| tier.has_waf());
    if let Some(policy) = &old.firewall_policy
        && new.firewall_policy.is_none()
        && keeps_waf
    {
        let message = format!(
            "Firewall policy {} cannot be removed from Application Gateway, changing from one \
             firewall policy to another is permitted.",
            policy.id
        );
        let at = c.pointer_to("firewallPolicy");
        c.error(
            "ApplicationGatewayFirewallPolicyCannotBeRemoved",
            message,
            at,
        );
    }
    zones(c, &previous.zones);
}

fn zones(c: &mut Checker<'_>, old: &[String]) {
    let sorted = |zones: &[String]| {
        let mut zones = zones.to_vec();
        zones.sort();
        zones
    };
    let new = &c.gateway.zones;
    if sorted(old) == sorted(new) {
        return;
    }
    let message = format!(
        "Resource {} has an existing availability zone constraint {} and the request has \
         availability zone constraint {}, which do not match. Zones cannot be \
         added/updated/removed once the resource is created.",
        c.id(),
        old.join(", "),
        new.join(", ")
    );
    let at = c.gateway.source.pointer_to("zones");
    c.error(codes::E_ZONES, message, at);
}
