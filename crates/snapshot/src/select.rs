//! From a request's head to its route.

use crate::index::{EndpointIndex, ListenerIndex, RouteIndex};
use crate::model::{Generation, Routing, Snapshot};
use crate::path::percent_decode;

/// The two things of a request that routing looks at.
#[derive(Clone, Copy, Debug)]
pub struct RequestKey<'a> {
    /// The `Host`, without a port, in any letter case.
    pub host: &'a [u8],
    /// The path as sent, without the query.
    pub path: &'a [u8],
}

/// Room for a normalised path, kept between requests so that routing does not allocate.
#[derive(Clone, Debug, Default)]
pub struct Scratch(Vec<u8>);

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selected {
    pub listener: ListenerIndex,
    pub route: RouteIndex,
    /// How many bytes of the (decoded) path the matched pattern spells out: what a setting's
    /// override path replaces. 0 for basic rules and defaults.
    pub literal_length: usize,
}

impl Snapshot {
    /// The listener and route that answer a request on this endpoint; `None` when its host belongs
    /// to no listener.
    ///
    /// Costs a few hash look-ups and a binary search, whatever the number of listeners and rules.
    pub fn select(
        &self,
        endpoint: EndpointIndex,
        request: RequestKey<'_>,
        scratch: &mut Scratch,
    ) -> Option<Selected> {
        let endpoint = self.endpoint(endpoint);
        let listener = endpoint.hosts.find(request.host)?;
        let generation = self.gateway(endpoint.gateway).generation;
        let (route, literal_length) = self.route_by_path(
            &self.listener(listener).routing,
            generation,
            request.path,
            scratch,
        );
        Some(Selected {
            listener,
            route,
            literal_length,
        })
    }

    fn route_by_path(
        &self,
        routing: &Routing,
        generation: Generation,
        path: &[u8],
        scratch: &mut Scratch,
    ) -> (RouteIndex, usize) {
        match routing {
            Routing::Always(route) => (*route, 0),
            Routing::ByPath {
                map,
                first,
                default,
            } => {
                let table = &self.path_map(*map).table;
                let path = normalise(path, generation, table.is_case_sensitive(), scratch);
                match table.find(path) {
                    Some((rule, literal)) => {
                        (RouteIndex::new(first.position() + rule as usize), literal)
                    }
                    None => (*default, 0),
                }
            }
        }
    }
}

/// The path as patterns see it: percent-decoded on v2, which v1 leaves alone, and in lower case
/// unless case matters. The usual path needs neither and is not copied.
fn normalise<'a>(
    path: &'a [u8],
    generation: Generation,
    case_sensitive: bool,
    scratch: &'a mut Scratch,
) -> &'a [u8] {
    let decode = generation == Generation::V2 && path.contains(&b'%');
    let lower = !case_sensitive && path.iter().any(u8::is_ascii_uppercase);
    if !decode && !lower {
        return path;
    }
    scratch.0.clear();
    if decode {
        percent_decode(path, &mut scratch.0);
    } else {
        scratch.0.extend_from_slice(path);
    }
    if !case_sensitive {
        // After decoding, which can bring letters to light.
        scratch.0.make_ascii_lowercase();
    }
    &scratch.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, generation: Generation, case_sensitive: bool, expected: &str) {
        let mut scratch = Scratch::default();
        let seen = normalise(path.as_bytes(), generation, case_sensitive, &mut scratch);
        assert_eq!(seen, expected.as_bytes());
    }

    #[test]
    fn paths_are_decoded_on_v2_only_and_folded_unless_case_matters() {
        check("/abc%2Fdef", Generation::V2, false, "/abc/def");
        check("/abc%2Fdef", Generation::V1, true, "/abc%2Fdef");
        check("/%41bc", Generation::V2, false, "/abc");
        check("/ABC", Generation::V2, true, "/ABC");
        check("/ABC", Generation::V1, false, "/abc");
    }
}
