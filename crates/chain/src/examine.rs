//! The verdict on what a server presented.

use crate::certificate::Certificate;
use crate::defect::{At, Defect, Kind, Listed};
use crate::names::ServerName;
use crate::presented::{Excess, Presented};
use crate::trust::Trust;
use crate::untrusted;
use crate::walk::{End, Walk, Way, flaws};

/// What a backend setting wants checked. First-generation pins are checked whatever it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checks {
    /// `validateCertChainAndExpiry`.
    pub chain: bool,
    /// `validateSNI`.
    pub name: bool,
}

impl Checks {
    /// Everything, which is the default of a setting.
    pub const ALL: Self = Self {
        chain: true,
        name: true,
    };
}

/// What is to be said of a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Why the chain is refused, the gravest first. Empty where it is accepted.
    pub defects: Vec<Defect>,
    /// What is not as it should be, and no reason to refuse it: what checks would have found that
    /// are switched off, and what the accepted way did not need.
    pub remarks: Vec<Defect>,
    /// The way from the server's certificate upwards, as far as signatures led: positions.
    pub path: Vec<usize>,
    /// The subject of the trusted authority at its end.
    pub anchor: Option<String>,
}

impl Verdict {
    /// Whether a connection to the server is safe, as far as its certificates go.
    pub fn is_accepted(&self) -> bool {
        self.defects.is_empty()
    }

    /// The defect to tell of where only one can be told.
    pub fn deciding(&self) -> Option<&Defect> {
        self.defects.first()
    }

    fn refused(defect: Defect) -> Self {
        Self {
            defects: vec![defect],
            ..Self::default()
        }
    }
}

/// Examines `presented` as a server's that was asked for as `expected`, at `now` (seconds since the
/// Unix epoch). Verifies at most 100 signatures.
pub fn examine(
    presented: &Presented,
    trust: &Trust<'_>,
    expected: ServerName<'_>,
    now: i64,
    checks: Checks,
) -> Verdict {
    match presented.excess() {
        Some(Excess::Bytes) => return Verdict::refused(Defect::TooManyBytes),
        Some(Excess::Certificates) => return Verdict::refused(Defect::TooManyCertificates),
        None => {}
    }
    let first = match presented.certificates().first() {
        None => {
            let presented = Vec::new();
            return Verdict::refused(Defect::LeafMissing { presented });
        }
        Some(Err(why)) => {
            let (position, why) = (0, *why);
            return Verdict::refused(Defect::Unreadable { position, why });
        }
        Some(Ok(first)) => first,
    };
    let examination = Examination {
        presented,
        first,
        trust,
        expected,
        now,
    };
    let mut verdict = match trust {
        Trust::Pinned { certificates } => examination.pinned(certificates),
        Trust::WellKnown { .. } | Trust::Uploaded { .. } => examination.chained(checks),
    };
    verdict.defects.sort_by_key(Defect::kind);
    verdict.remarks.sort_by_key(Defect::kind);
    verdict
}

struct Examination<'a> {
    presented: &'a Presented,
    first: &'a Certificate,
    trust: &'a Trust<'a>,
    expected: ServerName<'a>,
    now: i64,
}

/// What is first in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    LeafFirst,
    /// An authority is first, and the server's certificate is at this position.
    LeafAt(usize),
    /// An authority whose certificate is meant to be the server's too.
    Authority,
    NoLeaf,
}

impl Examination<'_> {
    /// First generation: the key decides, and nothing else is looked at.
    fn pinned(&self, certificates: &[Certificate]) -> Verdict {
        let at = self.presented.at(0);
        let mut remarks = flaws(&at, self.first, self.now);
        remarks.extend(self.name_defect(0));
        let (mut defects, remarks): (Vec<_>, Vec<_>) =
            remarks.into_iter().partition(keeps_from_signing);
        if !certificates.iter().any(|one| one.has_key_of(self.first)) {
            let pinned = certificates.iter().map(|one| one.subject().to_owned());
            defects.push(Defect::NotPinned {
                at,
                pinned: Listed::of(pinned),
            });
        }
        Verdict {
            defects,
            remarks,
            path: vec![0],
            anchor: None,
        }
    }

    fn chained(&self, checks: Checks) -> Verdict {
        let mut verdict = match self.is_uploaded_itself() && !self.is_misplaced(checks) {
            true => self.uploaded_itself(),
            false => self.chain(),
        };
        let leaf = verdict.path.first().copied();
        if !checks.chain {
            let found = std::mem::take(&mut verdict.defects);
            let (defects, remarks) = found.into_iter().partition::<Vec<_>, _>(keeps_from_signing);
            verdict.defects = defects;
            verdict.remarks.extend(remarks);
        }
        // Where the chain is not looked at, the server's certificate is the first. Where there is
        // none of a server, no name is missing.
        let named = if checks.chain { leaf } else { Some(0) };
        let name = named.and_then(|position| self.name_defect(position));
        match checks.name {
            true => verdict.defects.extend(name),
            false => verdict.remarks.extend(name),
        }
        verdict
    }

    /// A certificate that was uploaded is trusted by that, whoever signed it, authority or not.
    fn is_uploaded_itself(&self) -> bool {
        let uploaded = self.trust.uploaded().unwrap_or_default();
        uploaded.iter().any(|root| root.der() == self.first.der())
    }

    /// Whether a trusted authority stands where the server's certificate should: it does not have
    /// the name, which is checked, and that it was uploaded is not what went wrong.
    fn is_misplaced(&self, checks: Checks) -> bool {
        let is_nameless = checks.name && !self.first.names().are_for(self.expected);
        is_nameless && matches!(self.shape(), Shape::LeafAt(_) | Shape::NoLeaf)
    }

    fn uploaded_itself(&self) -> Verdict {
        let flaws = flaws(&self.presented.at(0), self.first, self.now);
        // For what it may be used is not looked at; what the TLS library cannot read is refused.
        let is_free = |defect: &Defect| defect.kind() == Kind::InvalidPurpose;
        let (remarks, defects) = flaws.into_iter().partition(is_free);
        Verdict {
            defects,
            remarks,
            path: vec![0],
            anchor: Some(self.first.subject().to_owned()),
        }
    }

    fn chain(&self) -> Verdict {
        let shape = self.shape();
        let leaf = match shape {
            Shape::NoLeaf => {
                let presented = self.everything();
                return Verdict::refused(Defect::LeafMissing { presented });
            }
            Shape::LeafAt(position) => position,
            Shape::LeafFirst | Shape::Authority => 0,
        };
        let mut walk = Walk::new(self.presented, self.trust, self.now);
        let (way, is_exhausted) = walk.best_way(leaf);
        let mut verdict = match way {
            Some(way) => self.explain(&walk, way),
            None => Verdict {
                path: vec![leaf],
                ..Verdict::default()
            },
        };
        if is_exhausted {
            verdict.defects.push(Defect::TooMuchWork);
        }
        let self_signed = |defect: &Defect| matches!(defect, Defect::SelfSigned { .. });
        match shape {
            Shape::LeafAt(_) => verdict.defects.push(Defect::LeafNotFirst {
                found: self.everything(),
                right: verdict.path.clone(),
            }),
            // What many tools make: what is wrong with it is that nobody trusts it.
            Shape::Authority if !verdict.defects.iter().any(self_signed) => {
                let at = self.presented.at(0);
                verdict.defects.push(Defect::AuthorityAsServer { at });
            }
            _ if !verdict.path.is_sorted() => verdict.remarks.push(Defect::OutOfOrder {
                found: self.everything(),
                right: verdict.path.clone(),
            }),
            _ => {}
        }
        verdict
    }

    fn explain(&self, walk: &Walk<'_>, way: Way) -> Verdict {
        let mut verdict = Verdict {
            defects: way.defects,
            path: way.path,
            ..Verdict::default()
        };
        let mut is_issuer_unknown = false;
        match &way.end {
            End::TooLong => {}
            End::Anchor(index) => {
                let authority = walk.authority(*index);
                verdict.anchor = authority.map(|authority| authority.anchor.name());
                let root = authority.and_then(|authority| authority.uploaded);
                let expired = root.filter(|root| root.not_after() < self.now);
                verdict
                    .remarks
                    .extend(expired.map(|root| Defect::AnchorExpired {
                        subject: root.subject().to_owned(),
                        not_after: root.not_after(),
                    }));
            }
            End::Top(top) => {
                is_issuer_unknown = !top.is_self_signed;
                let path = &verdict.path;
                let defect = untrusted::judge(self.presented, self.trust, walk, path, top);
                verdict.defects.extend(defect);
            }
        }
        // Where an issuer is missing, what cannot be read may have been it.
        match is_issuer_unknown {
            true => verdict.defects.extend(self.unreadable()),
            false => verdict.remarks.extend(self.unreadable()),
        }
        verdict
    }

    fn shape(&self) -> Shape {
        if !self.first.may_issue() {
            return Shape::LeafFirst;
        }
        let is_for_it = |one: &Certificate| one.names().are_for(self.expected);
        let leaves = || {
            let all = self.presented.readable();
            all.filter(|(_, one)| !one.may_issue() && one.oddity().is_none())
        };
        let named = leaves().find(|(_, one)| is_for_it(one));
        if let Some((position, _)) = named {
            return Shape::LeafAt(position);
        }
        match (is_for_it(self.first), leaves().next()) {
            (false, Some((position, _))) => Shape::LeafAt(position),
            (false, None) if !self.first.names().name_a_server() => Shape::NoLeaf,
            _ => Shape::Authority,
        }
    }

    fn everything(&self) -> Vec<At> {
        let positions = 0..self.presented.certificates().len();
        positions.map(|at| self.presented.at(at)).collect()
    }

    fn unreadable(&self) -> impl Iterator<Item = Defect> {
        let all = self.presented.certificates().iter().enumerate();
        all.filter_map(|(position, one)| {
            let why = *one.as_ref().err()?;
            Some(Defect::Unreadable { position, why })
        })
    }

    fn name_defect(&self, position: usize) -> Option<Defect> {
        let names = self.presented.get(position)?.names();
        (!names.are_for(self.expected)).then(|| Defect::NameMismatch {
            at: self.presented.at(position),
            expected: self.expected.to_string(),
            presented: Listed::of(names.compared()),
            is_overruled: names.overrule_common(self.expected),
        })
    }
}

/// What the TLS library cannot read, first in the chain, cannot sign a handshake for it either,
/// whatever is checked.
fn keeps_from_signing(defect: &Defect) -> bool {
    let is_unread = matches!(
        defect.kind(),
        Kind::UnsupportedVersion | Kind::Malformed | Kind::CriticalExtension
    );
    is_unread && defect.position() == Some(0)
}
