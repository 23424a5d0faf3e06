//! From rules to routes.

use std::collections::HashMap;

use gatewright_arm::model::{RuleType, UrlPathMap};
use gatewright_arm::{Item, Reference};
use gatewright_snapshot::{
    Action, ListenerIndex, PathMap, PathMapIndex, PathTableBuilder, PoolIndex, Route, RouteIndex,
    Routing, SettingIndex, Upstream, UpstreamIndex,
};

use crate::codes;
use crate::findings::quote;
use crate::redirects;
use crate::scope::{Scope, Served, Tables};

/// Makes the routes of one gateway. Path maps are compiled once, however many rules share them;
/// pairs of pool and setting get one upstream each.
pub(crate) struct Router {
    /// Where this gateway's rows begin in the snapshot's tables.
    first_pool: usize,
    first_setting: usize,
    upstreams: HashMap<(PoolIndex, SettingIndex), UpstreamIndex>,
    maps: HashMap<usize, Option<CompiledMap>>,
}

/// A path map's actions, without the listener that a route belongs to.
struct CompiledMap {
    index: PathMapIndex,
    /// Name and action of each path rule, in listed order.
    rules: Vec<(String, Action)>,
    default: Action,
}

/// Where a rule, a path rule or a default sends requests.
struct Target<'a> {
    pool: Option<&'a Reference>,
    setting: Option<&'a Reference>,
    redirect: Option<&'a Reference>,
    distribution: Option<&'a Reference>,
    /// What has this target, and where it stands, for messages.
    subject: String,
    pointer: &'a str,
}

impl Router {
    pub(crate) fn new(first_pool: usize, first_setting: usize) -> Self {
        Self {
            first_pool,
            first_setting,
            upstreams: HashMap::new(),
            maps: HashMap::new(),
        }
    }

    /// The routing of a rule, its routes added to the snapshot for `listener`; `None` after an
    /// error.
    pub(crate) fn routing(
        &mut self,
        scope: &mut Scope<'_>,
        tables: &Tables<'_>,
        served: &Served<'_>,
        listener: ListenerIndex,
    ) -> Option<Routing> {
        let rule = served.rule;
        if rule.properties.rule_type == Some(RuleType::PathBasedRouting) {
            return self.by_path(scope, tables, served, listener);
        }
        let properties = &rule.properties;
        let target = Target {
            pool: properties.backend_address_pool.as_ref(),
            setting: properties.backend_http_settings.as_ref(),
            redirect: properties.redirect_configuration.as_ref(),
            distribution: properties.load_distribution_policy.as_ref(),
            subject: format!("The rule {}", quote(&rule.name)),
            pointer: rule.pointer(),
        };
        let action = self.action(scope, tables, &target)?;
        let route = Route {
            listener,
            rule: rule.name.clone(),
            path_rule: None,
            action,
        };
        Some(Routing::Always(add_route(scope, route)))
    }

    fn by_path(
        &mut self,
        scope: &mut Scope<'_>,
        tables: &Tables<'_>,
        served: &Served<'_>,
        listener: ListenerIndex,
    ) -> Option<Routing> {
        let rule = served.rule;
        let Some(reference) = &rule.properties.url_path_map else {
            let message = format!("The rule {} has no path map.", quote(&rule.name));
            scope
                .findings
                .error(codes::E_NO_PATH_MAP, rule.pointer(), message, "");
            return None;
        };
        let Some(position) = tables.path_maps.position(reference) else {
            scope.unresolved(reference);
            return None;
        };
        if !self.maps.contains_key(&position) {
            let item = tables.path_maps.item(reference)?;
            let compiled = self.path_map(scope, tables, item);
            self.maps.insert(position, compiled);
        }
        let map = self.maps.get(&position)?.as_ref()?;
        let first = RouteIndex::new(scope.snapshot.routes.len());
        for (name, action) in &map.rules {
            let (path_rule, action) = (Some(name.clone()), action.clone());
            add_route(
                scope,
                Route {
                    listener,
                    rule: rule.name.clone(),
                    path_rule,
                    action,
                },
            );
        }
        let action = map.default.clone();
        let route = Route {
            listener,
            rule: rule.name.clone(),
            path_rule: None,
            action,
        };
        let default = add_route(scope, route);
        Some(Routing::ByPath {
            map: map.index,
            first,
            default,
        })
    }

    /// `None` after an error.
    fn path_map(
        &mut self,
        scope: &mut Scope<'_>,
        tables: &Tables<'_>,
        map: &Item<UrlPathMap>,
    ) -> Option<CompiledMap> {
        let properties = &map.properties;
        let mut table = PathTableBuilder::new(scope.options.path_case_sensitive);
        let mut rules = Vec::with_capacity(properties.path_rules.len());
        for rule in &properties.path_rules {
            let ordinal = u32::try_from(rules.len()).ok()?;
            for pattern in &rule.properties.paths {
                table.add(pattern, ordinal);
            }
            let target = Target {
                pool: rule.properties.backend_address_pool.as_ref(),
                setting: rule.properties.backend_http_settings.as_ref(),
                redirect: rule.properties.redirect_configuration.as_ref(),
                distribution: rule.properties.load_distribution_policy.as_ref(),
                subject: format!("The path rule {}", quote(&rule.name)),
                pointer: rule.pointer(),
            };
            rules.push((rule.name.clone(), self.action(scope, tables, &target)?));
        }
        let target = Target {
            pool: properties.default_backend_address_pool.as_ref(),
            setting: properties.default_backend_http_settings.as_ref(),
            redirect: properties.default_redirect_configuration.as_ref(),
            distribution: properties.default_load_distribution_policy.as_ref(),
            subject: format!("The path map {}", quote(&map.name)),
            pointer: map.pointer(),
        };
        let default = self.action(scope, tables, &target)?;
        let index = PathMapIndex::new(scope.snapshot.path_maps.len());
        let (name, table) = (map.name.clone(), table.build());
        scope.snapshot.path_maps.push(PathMap {
            name,
            gateway: scope.index,
            table,
        });
        Some(CompiledMap {
            index,
            rules,
            default,
        })
    }

    /// A redirect where there is one, else pool and setting; `None` after an error.
    fn action(
        &mut self,
        scope: &mut Scope<'_>,
        tables: &Tables<'_>,
        target: &Target<'_>,
    ) -> Option<Action> {
        if let Some(reference) = target.redirect {
            return redirects::compile(scope, tables, reference).map(Action::Redirect);
        }
        let pool = target
            .pool
            .or_else(|| first_pool_of(tables, target.distribution?));
        let (Some(pool), Some(setting)) = (pool, target.setting) else {
            scope.findings.error(
                codes::E_NO_TARGET,
                target.pointer,
                format!("{} leads nowhere.", target.subject),
                "Give it a backend pool and a backend setting, or a redirect.",
            );
            return None;
        };
        let Some(pool_position) = tables.pools.position(pool) else {
            scope.unresolved(pool);
            return None;
        };
        let Some(setting_position) = tables.settings.position(setting) else {
            scope.unresolved(setting);
            return None;
        };
        let pool = PoolIndex::new(self.first_pool + pool_position);
        let setting = SettingIndex::new(self.first_setting + setting_position);
        let upstreams = &mut scope.snapshot.upstreams;
        let index = self.upstreams.entry((pool, setting)).or_insert_with(|| {
            upstreams.push(Upstream { pool, setting });
            UpstreamIndex::new(upstreams.len() - 1)
        });
        Some(Action::Forward(*index))
    }
}

/// Where a load distribution policy stands in for the pool and its absence was accepted, its first
/// pool takes all the requests.
fn first_pool_of<'a>(tables: &Tables<'a>, policy: &Reference) -> Option<&'a Reference> {
    let policy = tables.distributions.item(policy)?;
    let first = policy.properties.load_distribution_targets.first()?;
    first.properties.backend_address_pool.as_ref()
}

fn add_route(scope: &mut Scope<'_>, route: Route) -> RouteIndex {
    scope.snapshot.routes.push(route);
    RouteIndex::new(scope.snapshot.routes.len() - 1)
}
