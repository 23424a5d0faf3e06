//! From the server's certificate upwards, issuer by issuer, along signatures that were verified.
//!
//! Every way is tried: a server may send several certificates of one authority, which others have
//! signed. A way that ends at a trusted authority and has nothing wrong with it is what a verifier
//! looks for, and the walk ends there. Without one, the best of the others is what there is to
//! explain: one that ends at a trusted authority before one that does not, then the one with the
//! fewest defects, then the longest.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::certificate::{Certificate, Oddity};
use crate::constraints::{Breach, breach};
use crate::defect::{At, Defect, Violation};
use crate::presented::Presented;
use crate::signature::{Signed, Weakness};
use crate::trust::{Anchor, Trust};

/// Most authorities between the server's certificate and the trusted one; the bound of webpki.
const INTERMEDIATES_MAX: usize = 6;

/// Most signatures that are verified for one verdict; the bound of webpki.
const SIGNATURE_CHECKS_MAX: usize = 100;

/// Most certificates that are stepped on for one verdict, over all ways together.
const STEPS_MAX: usize = 2_000;

/// Most comparisons of a name with a constraint for one verdict; the bound of webpki.
const CONSTRAINT_COMPARISONS_MAX: usize = 250_000;

/// A way through the certificates that were presented.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    /// Positions, the server's certificate first.
    pub(crate) path: Vec<usize>,
    pub(crate) end: End,
    /// What is wrong with the certificates on it.
    pub(crate) defects: Vec<Defect>,
}

/// Where a way ends.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// At this trusted authority.
    Anchor(usize),
    /// Nobody who is known signed the last certificate, but for itself.
    Top(Top),
    /// It goes on for longer than is followed.
    TooLong,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Top {
    pub(crate) is_self_signed: bool,
    /// A trusted authority with the issuer's name, and another key.
    pub(crate) namesake: Option<usize>,
    /// The position of a certificate with the issuer's name, and another key.
    pub(crate) other_key: Option<usize>,
}

/// A trusted authority, and the uploaded root that it comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Authority<'a> {
    pub(crate) anchor: Anchor<'a>,
    pub(crate) uploaded: Option<&'a Certificate>,
}

/// The key that a signature is checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Authority(usize),
    Presented(usize),
}

pub(crate) struct Walk<'a> {
    presented: &'a Presented,
    authorities: Vec<Authority<'a>>,
    now: i64,
    verified: HashMap<(usize, Key), Signed>,
    steps: usize,
    comparisons: usize,
    is_exhausted: bool,
    best: Option<Way>,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(presented: &'a Presented, trust: &Trust<'a>, now: i64) -> Self {
        // Uploaded roots first: of two authorities of the same name, theirs is the one to talk of.
        let uploaded = trust.uploaded().unwrap_or_default().iter();
        let uploaded = uploaded.filter_map(|root| {
            Some(Authority {
                anchor: Anchor::of(root)?,
                uploaded: Some(root),
            })
        });
        let well_known = trust.well_known().iter().map(|anchor| Authority {
            anchor: *anchor,
            uploaded: None,
        });
        Self {
            presented,
            authorities: uploaded.chain(well_known).collect(),
            now,
            verified: HashMap::new(),
            steps: 0,
            comparisons: CONSTRAINT_COMPARISONS_MAX,
            is_exhausted: false,
            best: None,
        }
    }

    /// The best way up from the certificate at `leaf`, and whether a bound kept others from being
    /// looked at. `None` only where nothing can be read there, or a bound was met at once.
    pub(crate) fn best_way(&mut self, leaf: usize) -> (Option<Way>, bool) {
        self.follow(&mut vec![leaf]);
        let way = self.best.take();
        let is_sound = way.as_ref().is_some_and(is_sound);
        (way, self.is_exhausted && !is_sound)
    }

    pub(crate) fn authority(&self, index: usize) -> Option<Authority<'a>> {
        self.authorities.get(index).copied()
    }

    fn follow(&mut self, path: &mut Vec<usize>) {
        self.steps += 1;
        self.is_exhausted |= self.steps > STEPS_MAX;
        let Some((last, top)) = self.top(path) else {
            return;
        };
        let mut end = Top::default();
        let mut leads_on = false;
        for index in 0..self.authorities.len() {
            if self.is_done() {
                return;
            }
            match self.signed_by_authority(last, top, index) {
                None => {}
                Some(Signed::No) => end.namesake = end.namesake.or(Some(index)),
                Some(_) => {
                    leads_on = true;
                    self.offer(path, End::Anchor(index));
                }
            }
        }
        for next in self.issuers_presented(path, top) {
            if self.is_done() {
                return;
            }
            match self.signed_by(last, top, Key::Presented(next)) {
                Signed::No => end.other_key = end.other_key.or(Some(next)),
                _ if path.len() > INTERMEDIATES_MAX => {
                    leads_on = true;
                    self.offer(path, End::TooLong);
                }
                _ => {
                    leads_on = true;
                    path.push(next);
                    self.follow(path);
                    path.pop();
                }
            }
        }
        if !leads_on && !self.is_done() {
            end.is_self_signed = top.is_self_issued()
                && self.signed_by(last, top, Key::Presented(last)) != Signed::No;
            self.offer(path, End::Top(end));
        }
    }

    fn top(&self, path: &[usize]) -> Option<(usize, &'a Certificate)> {
        let last = *path.last()?;
        Some((last, self.presented.get(last)?))
    }

    fn is_done(&self) -> bool {
        self.is_exhausted || self.best.as_ref().is_some_and(is_sound)
    }

    /// Positions of certificates with the name of `top`'s issuer that are not on the way yet.
    fn issuers_presented(&self, path: &[usize], top: &Certificate) -> Vec<usize> {
        let issuer = top.parts().issuer;
        // The same authority once more, with whatever certificate, leads in a circle.
        let is_met = |one: &Certificate| {
            let (subject, key) = (one.parts().subject, one.parts().key);
            path.iter().any(|position| {
                let met = self.presented.get(*position).map(Certificate::parts);
                met.is_some_and(|met| met.subject == subject && met.key == key)
            })
        };
        self.presented
            .readable()
            .filter(|(_, one)| one.parts().subject == issuer && !is_met(one))
            .map(|(position, _)| position)
            .collect()
    }

    /// `None` where the authority has another name than the issuer.
    fn signed_by_authority(
        &mut self,
        position: usize,
        certificate: &Certificate,
        index: usize,
    ) -> Option<Signed> {
        let anchor = self.authorities.get(index)?.anchor;
        let is_issuer = anchor.subject == certificate.parts().issuer;
        is_issuer.then(|| self.signed_by(position, certificate, Key::Authority(index)))
    }

    fn signed_by(&mut self, position: usize, certificate: &Certificate, key: Key) -> Signed {
        if let Some(known) = self.verified.get(&(position, key)) {
            return *known;
        }
        if self.verified.len() >= SIGNATURE_CHECKS_MAX {
            self.is_exhausted = true;
            return Signed::No;
        }
        let bytes = match key {
            Key::Authority(index) => self.authorities.get(index).map(|one| one.anchor.key),
            Key::Presented(index) => self.presented.get(index).map(|one| one.parts().key),
        };
        let signed = certificate.is_signed_with(bytes.unwrap_or_default());
        self.verified.insert((position, key), signed);
        signed
    }

    fn offer(&mut self, path: &[usize], end: End) {
        let defects = self.defects(path, &end);
        let way = Way {
            path: path.to_vec(),
            end,
            defects,
        };
        if self
            .best
            .as_ref()
            .is_none_or(|best| rank(&way) < rank(best))
        {
            self.best = Some(way);
        }
    }

    fn defects(&mut self, path: &[usize], end: &End) -> Vec<Defect> {
        let mut defects = Vec::new();
        let mut signed: Option<At> = None;
        for (depth, position) in judged(path, end).iter().enumerate() {
            let Some(certificate) = self.presented.get(*position) else {
                continue;
            };
            let at = self.presented.at(*position);
            defects.extend(flaws(&at, certificate, self.now));
            if let Some(signed) = signed.replace(at.clone()) {
                defects.extend(flaw_as_issuer(at.clone(), certificate, signed, depth));
            }
            defects.extend(self.flaw_of_signature(at, path.get(depth + 1), *position, end));
        }
        if let End::TooLong = end {
            defects.push(Defect::ChainTooLong {
                most: INTERMEDIATES_MAX,
            });
        }
        defects.extend(self.breaches(path, end));
        defects
    }

    /// What was found when the signature was verified on the way up.
    fn flaw_of_signature(
        &self,
        at: At,
        next: Option<&usize>,
        position: usize,
        end: &End,
    ) -> Option<Defect> {
        let key = match (next, end) {
            (Some(next), _) => Key::Presented(*next),
            (None, End::Anchor(index)) => Key::Authority(*index),
            (None, End::Top(_) | End::TooLong) => return None,
        };
        match self.verified.get(&(position, key))? {
            Signed::Weakly(weakness) => Some(Defect::WeakSignature {
                at,
                weakness: *weakness,
            }),
            Signed::Shortly => Some(Defect::WeakSignature {
                at,
                weakness: Weakness::ShortKey,
            }),
            Signed::Unsupported => Some(Defect::UnsupportedSignature { at }),
            Signed::Yes | Signed::No => None,
        }
    }

    /// The constraints of every authority on the way, held against everything below it.
    fn breaches(&mut self, path: &[usize], end: &End) -> Vec<Defect> {
        let mut setters: Vec<(usize, &[u8], String)> = Vec::new();
        for (depth, position) in judged(path, end).iter().enumerate().skip(1) {
            if let Some(authority) = self.presented.get(*position)
                && let Some(constraints) = authority.constraints()
            {
                setters.push((depth, constraints, authority.subject().to_owned()));
            }
        }
        if let End::Anchor(index) = end
            && let Some(anchor) = self.authorities.get(*index).map(|one| one.anchor)
            && let Some(constraints) = anchor.constraints
        {
            setters.push((path.len(), constraints, anchor.name()));
        }
        let mut defects = Vec::new();
        for (depth, constraints, by) in setters {
            for position in path.iter().take(depth) {
                let Some(certificate) = self.presented.get(*position) else {
                    continue;
                };
                let found = breach(constraints, certificate.names(), &mut self.comparisons);
                let at = self.presented.at(*position);
                defects.extend(found.map(|breach| constraint_defect(at, by.clone(), breach)));
            }
        }
        defects
    }
}

fn is_sound(way: &Way) -> bool {
    matches!(way.end, End::Anchor(_)) && way.defects.is_empty()
}

/// The smallest is the best.
fn rank(way: &Way) -> (bool, usize, Reverse<usize>) {
    let is_loose = !matches!(way.end, End::Anchor(_));
    (is_loose, way.defects.len(), Reverse(way.path.len()))
}

/// The part of a way whose certificates are judged: a root that was sent and is not trusted has
/// that one defect; its dates and extensions would not be looked at if it were.
fn judged<'p>(path: &'p [usize], end: &End) -> &'p [usize] {
    match (end, path.split_last()) {
        (End::Top(top), Some((_, below))) if top.is_self_signed && !below.is_empty() => below,
        _ => path,
    }
}

/// What is wrong with a certificate wherever it stands.
pub(crate) fn flaws(at: &At, certificate: &Certificate, now: i64) -> Vec<Defect> {
    let oddity = certificate.oddity().map(|oddity| match oddity {
        Oddity::Version(version) => Defect::UnsupportedVersion {
            at: at.clone(),
            version: *version,
        },
        Oddity::CriticalExtension(extension) => Defect::CriticalExtension {
            at: at.clone(),
            extension: extension.clone(),
        },
        Oddity::Malformed(what) => Defect::Malformed {
            at: at.clone(),
            what: (*what).to_owned(),
        },
    });
    let purpose = (!certificate.serves_tls()).then(|| Defect::InvalidPurpose { at: at.clone() });
    let dates = flaw_of_dates(at, certificate, now);
    oddity.into_iter().chain(dates).chain(purpose).collect()
}

fn flaw_of_dates(at: &At, certificate: &Certificate, now: i64) -> Option<Defect> {
    let (at, not_before) = (at.clone(), certificate.not_before());
    let not_after = certificate.not_after();
    if not_before > not_after {
        return Some(Defect::InvalidDates {
            at,
            not_before,
            not_after,
            now,
        });
    }
    if now < not_before {
        return Some(Defect::NotYetValid {
            at,
            not_before,
            now,
        });
    }
    (now > not_after).then_some(Defect::Expired { at, not_after, now })
}

/// `depth` is how many certificates stand below `at`, the server's among them.
fn flaw_as_issuer(at: At, certificate: &Certificate, signed: At, depth: usize) -> Option<Defect> {
    // Version 1 has no way to say that it is an authority; its version is what is wrong.
    if certificate.oddity().is_some() {
        return None;
    }
    if !certificate.may_issue() {
        return Some(Defect::InvalidAuthority { at, signed });
    }
    let found = u32::try_from(depth.saturating_sub(1)).unwrap_or(u32::MAX);
    let limit = certificate.path_length().filter(|limit| found > *limit)?;
    Some(Defect::PathTooLong { at, limit, found })
}

fn constraint_defect(at: At, by: String, breach: Breach) -> Defect {
    let violation = match breach {
        Breach::TooMany => return Defect::TooMuchWork,
        Breach::NotPermitted(name) => Violation::NotPermitted(name),
        Breach::Excluded(name) => Violation::Excluded(name),
        Breach::Malformed => Violation::Malformed,
    };
    Defect::NameConstraint { at, by, violation }
}
