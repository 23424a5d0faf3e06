//! In what our answers may differ from the service's, with the reasons; and what is not there yet.

use crate::replay::{Compared, Outcome};

/// A difference that stays. In patterns, `*` stands for anything.
pub(crate) struct Allowed {
    pub(crate) file: &'static str,
    /// Of the method, the path and the query.
    pub(crate) request: &'static str,
    /// Of the place: `status`, `header etag`, or a JSON pointer, with `length of ` or `order of `
    /// before it where that is what differs.
    pub(crate) at: &'static str,
    pub(crate) reason: &'static str,
}

/// Requests whose answers are not compared until something is there.
pub(crate) struct NotYet {
    pub(crate) file: &'static str,
    pub(crate) request: &'static str,
    pub(crate) reason: &'static str,
}

pub(crate) const ALLOWED: &[Allowed] = &[
    Allowed {
        file: "*",
        request: "GET */resourcegroups/*",
        at: "/tags/*Creat*",
        reason: "a policy of the recorded subscription tags groups some time after they are made",
    },
    Allowed {
        file: "*",
        request: "*",
        at: "/properties/*sku/family",
        reason: "the service tells which machines a v2 gateway is on, and moves it from older to \
                 newer ones; here it follows from the SKU",
    },
    Allowed {
        file: "test_network_ag_rule.yaml",
        request: "GET */applicationGateways/ag1?*",
        at: "/properties/requestRoutingRules/*",
        reason: "the service changed the order of rules between a PUT and the GET after it; here \
                 it is that of the document",
    },
    Allowed {
        file: "test_network_app_gateway_no_wait.yaml",
        request: "GET */applicationGateways/ag2?*",
        at: "/error/*",
        reason: "the service's front door does not know for a while that something is gone, and \
                 the provider answers; here both are one",
    },
    Allowed {
        file: "test_network_app_gateway_no_wait.yaml",
        request: "GET */applicationGateways/ag2?*",
        at: "header x-ms-failure-cause",
        reason: "the same: it is not the front door that says so",
    },
    Allowed {
        file: "*",
        request: "*/publicIPAddresses*",
        at: "*/dnsSettings/fqdn",
        reason: "the domain is that of the installation",
    },
    Allowed {
        file: "*",
        request: "*/networkInterfaces/*",
        at: "/properties/dnsSettings/internalDomainNameSuffix",
        reason: "the domain is that of the installation",
    },
    Allowed {
        file: "*",
        request: "GET */resources?*publicIPAddresses*",
        at: "/value/*/sku/tier",
        reason: "the service's front door lists the SKU as it was sent, ours as it is",
    },
    Allowed {
        file: "neighbours/test_network_nic_app_gateway.yaml",
        request: "*/virtualNetworks/vnet1?*",
        at: "*/ipamPoolPrefixAllocations",
        reason: "answers of the same api-version had it some months later",
    },
    Allowed {
        file: "neighbours/test_network_nic_app_gateway.yaml",
        request: "*/virtualNetworks/vnet1?*",
        at: "/properties/privateEndpointVNetPolicies",
        reason: "answers of the same api-version had it some months later",
    },
    Allowed {
        file: "*_waf_policy_with_application_gateway.yaml",
        request: "GET */operationResults/*",
        at: "header *",
        reason: "results of most operations repeat their links; that of a firewall policy's \
                 deletion does not, and no client minds",
    },
    Allowed {
        file: "*_with_identity.yaml",
        request: "PUT */Microsoft.ManagedIdentity/*",
        at: "header location",
        reason: "the provider of identities tells the id of what it made, which its body tells too",
    },
    Allowed {
        file: "neighbours/test_resource_group_deployment.yaml",
        request: "POST */deployments/*/exportTemplate?*",
        at: "*/template/*",
        reason: "the service writes a template anew, ours is as it was sent",
    },
    Allowed {
        file: "neighbours/test_resource_group_deployment.yaml",
        request: "GET */deployments/*/operations/*",
        at: "/properties/serviceRequestId",
        reason: "the front door and the providers are one here, and no request goes between them",
    },
    Allowed {
        file: "neighbours/test_resource_group_deployment.yaml",
        request: "*/deployments/azure-cli-resource-group-deployment000003*",
        at: "*",
        reason: "the recorded deployment is canceled while it runs; ours has ended before",
    },
];

pub(crate) const NOT_YET: &[NotYet] = &[
    NotYet {
        file: "*",
        request: "*/loadBalancers/*",
        reason: "there are no load balancers, and none are planned",
    },
    NotYet {
        file: "*_with_identity.yaml",
        request: "*/Microsoft.KeyVault/vaults/*",
        reason: "the vault, its certificate and who may read it were made outside of the recording",
    },
    NotYet {
        file: "*_with_identity.yaml",
        request: "GET */applicationGateways/gateway?api-version=2022-05-01",
        reason: "its certificate lies in that vault",
    },
    NotYet {
        file: "*_with_identity.yaml",
        request: "GET */locations/westus/operations/*",
        reason: "its certificate lies in that vault",
    },
    NotYet {
        file: "neighbours/test_network_nic_app_gateway.yaml",
        request: "*/deployments/lb_deploy_*",
        reason: "there are no load balancers, and none are planned",
    },
    NotYet {
        file: "neighbours/test_resource_group.yaml",
        request: "POST */exportTemplate?*",
        reason: "groups are not exported as templates",
    },
    NotYet {
        file: "neighbours/test_resource_group_deployment.yaml",
        request: "POST */deployments/Japanese-characters-template/validate?*",
        reason: "there are no alert rules, and none are planned",
    },
];

/// What is known of all recordings so far.
pub(crate) struct Verdict {
    allowed: &'static [Allowed],
    not_yet: &'static [NotYet],
    /// How often each entry was needed.
    allowed_uses: Vec<usize>,
    not_yet_uses: Vec<usize>,
    complaints: Vec<String>,
    lines: Vec<String>,
}

impl Verdict {
    pub(crate) fn new(allowed: &'static [Allowed], not_yet: &'static [NotYet]) -> Self {
        Self {
            allowed,
            not_yet,
            allowed_uses: vec![0; allowed.len()],
            not_yet_uses: vec![0; not_yet.len()],
            complaints: Vec::new(),
            lines: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, file: &str, outcome: Outcome) {
        let (mut equal, mut waiting) = (0, 0);
        let all = outcome.compared.len();
        for compared in outcome.compared {
            let before = self.complaints.len();
            if self.excuse(file, &compared) {
                waiting += 1;
            } else if self.complaints.len() == before {
                equal += 1;
            }
        }
        self.lines.push(format!(
            "{file}: {all} compared, {equal} as expected, {waiting} not yet; {} on the way to an \
             end, {} polls of nothing, {} with other services",
            outcome.folded, outcome.lost, outcome.foreign
        ));
    }

    /// Sorts out the differences of one exchange. Whether they are for later.
    fn excuse(&mut self, file: &str, compared: &Compared) -> bool {
        let mut left = Vec::new();
        for one in &compared.differences {
            let entry = self.allowed.iter().position(|entry| {
                matches(entry.file, file)
                    && matches(entry.request, &compared.request)
                    && matches(entry.at, &one.at)
            });
            match entry {
                Some(entry) => self.allowed_uses[entry] += 1,
                None => left.push(format!(
                    "  {}\n    expected {}\n    got      {}",
                    one.at, one.expected, one.got
                )),
            }
        }
        if left.is_empty() {
            return false;
        }
        let mut entries = self.not_yet.iter();
        let entry = entries.position(|entry| {
            matches(entry.file, file) && matches(entry.request, &compared.request)
        });
        if let Some(entry) = entry {
            self.not_yet_uses[entry] += 1;
            return true;
        }
        let Compared {
            number, request, ..
        } = compared;
        self.complaints
            .push(format!("{file} {number}: {request}\n{}", left.join("\n")));
        false
    }

    /// Fails with everything that is not as it should be.
    pub(crate) fn conclude(mut self) {
        for (entry, uses) in self.allowed.iter().zip(&self.allowed_uses) {
            if *uses == 0 {
                let Allowed {
                    file,
                    request,
                    at,
                    reason,
                } = entry;
                self.complaints.push(format!(
                    "nothing differs any more as allowed: {file} {request} {at} ({reason})"
                ));
            }
        }
        for (entry, uses) in self.not_yet.iter().zip(&self.not_yet_uses) {
            if *uses == 0 {
                let NotYet {
                    file,
                    request,
                    reason,
                } = entry;
                self.complaints.push(format!(
                    "nothing is left to wait for: {file} {request} ({reason})"
                ));
            }
        }
        self.conclude_part();
    }

    /// As `conclude`, where not every recording was replayed.
    #[allow(clippy::print_stderr, reason = "the counts are the report")]
    pub(crate) fn conclude_part(self) {
        self.lines.iter().for_each(|line| eprintln!("{line}"));
        let count = self.complaints.len();
        assert!(
            count == 0,
            "{count} answers differ:\n\n{}",
            self.complaints.join("\n\n")
        );
    }
}

/// Whether `*` in the pattern can stand for something so that it is the text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            let mut starts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            starts.any(|at| matches(after, &rest[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Difference;

    fn outcome(request: &str, at: &[&str]) -> Outcome {
        let difference = |at: &&str| Difference {
            at: (*at).to_owned(),
            expected: String::new(),
            got: String::new(),
        };
        Outcome {
            compared: vec![Compared {
                number: 0,
                request: request.to_owned(),
                differences: at.iter().map(difference).collect(),
            }],
            ..Outcome::default()
        }
    }

    const SOME: &[Allowed] = &[Allowed {
        file: "a*",
        request: "GET *",
        at: "/x/*/y",
        reason: "because",
    }];

    const LATER: &[NotYet] = &[NotYet {
        file: "*",
        request: "PUT *",
        reason: "later",
    }];

    fn complaints(allowed: &'static [Allowed], request: &str, at: &[&str]) -> Vec<String> {
        let mut verdict = Verdict::new(allowed, LATER);
        verdict.add("abc", outcome(request, at));
        verdict.complaints
    }

    #[test]
    fn only_what_is_listed_is_excused() {
        assert!(complaints(SOME, "GET /1", &["/x/0/y"]).is_empty());
        assert!(complaints(SOME, "PUT /1", &["/z"]).is_empty());
        for (request, at) in [("GET /1", ["/x/0/z"]), ("DELETE /1", ["/x/0/y"])] {
            assert_eq!(complaints(SOME, request, &at).len(), 1, "{request} {at:?}");
        }
        assert_eq!(complaints(SOME, "GET /1", &["/x/0/y", "/z"]).len(), 1);
    }

    #[test]
    #[should_panic = "nothing differs any more as allowed: a* GET * /x/*/y (because)"]
    fn an_entry_that_allows_nothing_fails() {
        Verdict::new(SOME, &[]).conclude();
    }

    #[test]
    #[should_panic = "nothing is left to wait for: * PUT * (later)"]
    fn an_entry_that_waits_for_nothing_fails() {
        let mut verdict = Verdict::new(&[], LATER);
        verdict.add("abc", outcome("PUT /1", &[]));
        verdict.conclude();
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "abcd", false),
            ("*/x/*", "GET /a/x/b", true),
            ("*b", "abb", true),
            ("abc", "ab", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
