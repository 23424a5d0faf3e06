//! Codes of errors of which the service's own code was never seen. Whoever compares codes must not
//! take ours for the service's.

/// A policy of the firewall that the service would not take.
pub(super) const FIREWALL: &str = "GW-E-firewall";

/// A deletion of what something else needs.
pub(super) const IN_USE: &str = "GW-E-in-use";

/// A network interface that the service would not take.
pub(super) const INTERFACE: &str = "GW-E-interface";

/// A delegation that the service would not take.
pub(super) const DELEGATION: &str = "GW-E-delegation";

/// A service endpoint that the service would not take.
pub(super) const ENDPOINT: &str = "GW-E-service-endpoint";

/// A question for the availability of what is no address, or in no subnet.
pub(super) const ADDRESS: &str = "GW-E-address";

/// A security rule that the service would not take.
pub(super) const RULE: &str = "GW-E-security-rule";

/// A route that the service would not take.
pub(super) const ROUTE: &str = "GW-E-route";

/// A question to a network watcher that cannot be answered.
pub(super) const WATCHER: &str = "GW-E-network-watcher";
