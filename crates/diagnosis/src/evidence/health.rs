//! The backend-health report: REST's, az's, with `--expand` or without, and PowerShell's.

use super::view::{Place, View, last_part};
use super::{HEALTH, Unreadable, unreadable};

/// The report.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    /// Servers in the order of the report.
    pub(crate) rows: Vec<HealthRow>,
    /// Pools that the report names, with the settings under which they have no servers.
    pub(crate) empty: Vec<EmptyPool>,
}

#[derive(Clone, Debug)]
pub(crate) struct EmptyPool {
    pub(crate) pool: String,
    pub(crate) place: Place,
}

/// One server under one setting.
#[derive(Clone, Debug)]
pub(crate) struct HealthRow {
    /// Names; empty where the report has none.
    pub(crate) pool: String,
    pub(crate) setting: String,
    pub(crate) address: String,
    pub(crate) state: State,
    /// The probe's log.
    pub(crate) log: String,
    /// `healthProbeErrorName`.
    pub(crate) error_name: String,
    /// The id of the server's address at a network interface; empty where the report has none.
    pub(crate) configuration: String,
    pub(crate) place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Healthy,
    Unhealthy,
    Unknown,
    Draining,
}

impl State {
    fn of(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "healthy" | "up" => Self::Healthy,
            "unhealthy" | "down" | "partial" => Self::Unhealthy,
            "draining" => Self::Draining,
            _ => Self::Unknown,
        }
    }
}

impl Health {
    pub(super) fn read(view: &View<'_>) -> Result<Self, Unreadable> {
        let pools = match view.get("backendAddressPools") {
            Some(pools) => pools.elements(),
            None => view.elements(),
        };
        let is_pool = |pool: &View<'_>| {
            let members = [
                "backendHttpSettingsCollection",
                "backendAddressPool",
                "servers",
            ];
            members.iter().any(|member| pool.get(member).is_some())
        };
        if let Some(other) = pools.iter().find(|pool| !is_pool(pool)) {
            let expected = "a pool of a backend-health report is expected, with \
                            backendHttpSettingsCollection";
            return Err(unreadable(HEALTH, &other.place().pointer, expected));
        }
        let mut health = Self::default();
        for pool in &pools {
            health.pool(pool);
        }
        Ok(health)
    }

    fn pool(&mut self, pool: &View<'_>) {
        let name = name_of(pool, "backendAddressPool");
        let settings = ["backendHttpSettingsCollection", "backendSettingsCollection"];
        for setting in settings.iter().flat_map(|collection| pool.list(collection)) {
            let setting_name = [
                name_of(&setting, "backendHttpSettings"),
                name_of(&setting, "backendSettings"),
            ];
            let setting_name = setting_name.into_iter().find(|name| !name.is_empty());
            let setting_name = setting_name.unwrap_or_default();
            let servers = setting.list("servers");
            if servers.is_empty() {
                self.empty.push(EmptyPool {
                    pool: name.clone(),
                    place: setting.place(),
                });
            }
            for server in servers {
                self.rows.push(HealthRow {
                    pool: name.clone(),
                    setting: setting_name.clone(),
                    address: server.text("address").unwrap_or_default(),
                    state: State::of(&server.text("health").unwrap_or_default()),
                    log: server.text("healthProbeLog").unwrap_or_default(),
                    error_name: server.text("healthProbeErrorName").unwrap_or_default(),
                    configuration: server
                        .get("ipConfiguration")
                        .and_then(|one| one.text("id"))
                        .unwrap_or_default(),
                    place: server.place(),
                });
            }
        }
    }
}

/// The name of what a member refers to: by an id alone, or whole.
fn name_of(view: &View<'_>, member: &str) -> String {
    let Some(other) = view.get(member) else {
        return String::new();
    };
    let id = other.text("id").or_else(|| other.as_text());
    let id = id.map(|id| last_part(&id).to_owned());
    id.or_else(|| other.text("name")).unwrap_or_default()
}
