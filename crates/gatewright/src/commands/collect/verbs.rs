//! Every az command that is ever run. None of them changes anything, and nothing that is not in
//! this list can be run.

macro_rules! verbs {
    ($($name:ident => $words:literal,)+) => {
        /// A command of az's that reads.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Verb {
            $($name,)+
        }

        impl Verb {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$name,)+];

            /// What stands behind `az`.
            pub(super) fn words(self) -> &'static str {
                match self {
                    $(Self::$name => $words,)+
                }
            }
        }
    };
}

verbs! {
    Gateway => "network application-gateway show",
    Health => "network application-gateway show-backend-health",
    Subnet => "network vnet subnet show",
    Network => "network vnet show",
    SecurityGroup => "network nsg show",
    RouteTable => "network route-table show",
    Interface => "network nic show",
    ScaleSets => "vmss list",
    ScaleSetInstances => "vmss list-instances",
    ScaleSetInterfaces => "vmss nic list",
    Events => "monitor activity-log list",
    Metrics => "monitor metrics list",
    Log => "monitor log-analytics query",
    Vault => "keyvault show",
    WebApps => "webapp list",
    WebApp => "webapp show",
    Zones => "network private-dns zone list",
    ZoneLinks => "network private-dns link vnet list",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_changes_is_ever_run() {
        assert!(Verb::ALL.len() > 10);
        for verb in Verb::ALL {
            let words = verb.words();
            let last = words.rsplit(' ').next().unwrap();
            let reads = ["show", "list", "show-backend-health", "query"].contains(&last)
                || last.starts_with("list-");
            assert!(reads, "{words}");
            let is_plain = |c: char| c.is_ascii_lowercase() || c == '-' || c == ' ';
            assert!(words.chars().all(is_plain), "{words}");
        }
    }
}
