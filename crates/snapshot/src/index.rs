//! Positions in the tables of a [`Snapshot`](crate::Snapshot), and of a network policy.
//!
//! Each table has an index type of its own, so that a pool's position cannot be used where a
//! setting's is meant. An index is valid only for the snapshot, or policy, that it came from.

macro_rules! indexes {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u32);

        impl $name {
            /// The index of the element at `position`.
            ///
            /// # Panics
            /// When `position` exceeds `u32::MAX`: no table of a snapshot grows that far.
            pub fn new(position: usize) -> Self {
                Self(u32::try_from(position).expect("a snapshot's tables stay below 2^32 rows"))
            }

            /// The position in its table.
            pub fn position(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

indexes! {
    /// A row of [`Snapshot::gateways`](crate::Snapshot).
    GatewayIndex;
    /// A row of [`Snapshot::endpoints`](crate::Snapshot).
    EndpointIndex;
    /// A row of [`Snapshot::listeners`](crate::Snapshot).
    ListenerIndex;
    /// A row of [`Snapshot::routes`](crate::Snapshot).
    RouteIndex;
    /// A row of [`Snapshot::path_maps`](crate::Snapshot).
    PathMapIndex;
    /// A row of [`Snapshot::pools`](crate::Snapshot).
    PoolIndex;
    /// A row of [`Snapshot::settings`](crate::Snapshot).
    SettingIndex;
    /// A row of [`Snapshot::upstreams`](crate::Snapshot).
    UpstreamIndex;
    /// A row of [`Snapshot::certificates`](crate::Snapshot).
    CertificateIndex;
    /// A row of [`NetworkPolicy::networks`](crate::network::NetworkPolicy::networks).
    NetworkIndex;
    /// A row of [`NetworkPolicy::subnets`](crate::network::NetworkPolicy::subnets).
    SubnetIndex;
    /// A row of [`NetworkPolicy::groups`](crate::network::NetworkPolicy::groups).
    SecurityGroupIndex;
    /// A row of [`NetworkPolicy::route_tables`](crate::network::NetworkPolicy::route_tables).
    RouteTableIndex;
}
