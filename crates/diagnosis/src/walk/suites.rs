//! Have the gateway's TLS policies cipher suites for the keys of certificates?

use gatewright_arm::Item;
use gatewright_arm::model::{
    CipherSuite, HttpListener, SslCertificate, SslPolicy, SslPolicyType, SslProfile, SslProtocol,
};
use gatewright_chain::KeyKind;
use gatewright_compile::public_leaf;
use serde_json::json;

use super::certificate_causes::said;
use super::edits::Edit;
use super::live_paths::takes_host;
use super::{Walk, finding};
use crate::cause::{Cause, Owner};
use crate::evidence::{Place, is_alert};
use crate::finding::{Confidence, Finding, Fix};
use crate::remedy::{fix, word};
use crate::site::in_gateway;

/// A policy with the suites of its own, and who has it.
struct Policy<'e> {
    policy: &'e SslPolicy,
    /// The profile that it is of; else it is the gateway's.
    profile: Option<&'e Item<SslProfile>>,
    place: Place,
}

impl Walk<'_> {
    /// A server whose key the first generation's policy has no suite for: there it holds towards
    /// servers too.
    pub(super) fn has_no_suite_for_server(&self, index: usize) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let is_v1 = self.evidence.gateway.is_v1();
        // Of the second generation nothing says that it does so: only where the server takes what
        // the policy has not, and nothing else is left.
        let is_left = || {
            let mut tls = self.tls_at(target);
            let takes_old = tls.any(|one| {
                let is_new = |version: &String| version.contains("1.3");
                !one.versions.is_empty() && !one.versions.iter().any(is_new)
            });
            takes_old && target.symptom.is_of_certificate()
        };
        if !is_v1 && !is_left() {
            return None;
        }
        let policy = self.own_policy()?;
        let chain = self.presented_to(target)?;
        let leaf = chain.presented.certificates().first()?.as_ref().ok()?;
        let key = leaf.key_kind();
        if policy.has_suite_for(key, true) {
            return None;
        }
        let same = match is_v1 {
            true => ": a v1 gateway asks its servers for the same suites as it offers to clients",
            false => "; its certificate is in order",
        };
        let title = format!(
            "{} has a certificate with {} key, and the gateway's TLS policy has no cipher suite \
             for such{same}.",
            target.row.address,
            name_of(key)
        );
        let mut found = finding(Cause::TlsVersionOrCipherMismatch, Confidence::Likely, title)
            .because([
                self.because(&target.row.place, "the probe fails within TLS"),
                self.because(&chain.place, "the certificate"),
                self.because(&policy.place, "the suites that there are"),
            ])
            .fixed_by(self.add_suites(&policy, key));
        let is_contradicted = said(target.symptom).is_some();
        found.contradicts = is_contradicted.then(|| target.row.log.clone());
        Some(found)
    }

    /// A listener whose policy has no suite for its certificate's key.
    pub(super) fn has_no_suite_for_listener(&self) -> Option<Finding> {
        let listeners = self.evidence.gateway.properties.http_listeners.iter();
        let mut found = listeners.filter_map(|listener| self.no_suite_for(listener));
        found.next()
    }

    fn no_suite_for(&self, listener: &Item<HttpListener>) -> Option<Finding> {
        let own = &listener.properties;
        let gateway = &self.evidence.gateway;
        let certificate: &Item<SslCertificate> = gateway.resolve(own.ssl_certificate.as_ref()?)?;
        let leaf = public_leaf(certificate.properties.public_cert_data.as_deref()?)?;
        let key = leaf.key_kind();
        let profile = own.ssl_profile.as_ref();
        let profile: Option<&Item<SslProfile>> = profile.and_then(|one| gateway.resolve(one));
        let of_profile = profile.and_then(|profile| {
            Some(Policy {
                policy: profile.properties.ssl_policy.as_ref()?,
                profile: Some(profile),
                place: in_gateway(profile.pointer_to("sslPolicy")),
            })
        });
        let policy = of_profile.or_else(|| self.own_policy())?;
        // With TLS 1.3 alone, the policy's suites are nobody's.
        let is_new_alone = policy.policy.min_protocol_version == Some(SslProtocol::TlsV1_3);
        let is_encrypted = own.protocol.is_some_and(|one| one.is_encrypted());
        if policy.has_suite_for(key, gateway.is_v1()) || is_new_alone || !is_encrypted {
            return None;
        }
        let has_newest = policy.policy.policy_type == Some(SslPolicyType::CustomV2);
        let seen = self.failed_handshake(listener);
        let has_served = !has_newest && {
            let mut rows = self.evidence.rows();
            rows.any(|row| match row.listener.is_empty() {
                false => listener.is_named(&row.listener),
                true => row.is_encrypted == Some(true) && takes_host(listener, row.asked_host()),
            })
        };
        let confidence = match (&seen, has_newest) {
            _ if has_served => return None,
            (Some(_), _) => Confidence::Certain,
            (None, false) => Confidence::Likely,
            (None, true) => Confidence::Possible,
        };
        let who = match has_newest {
            true => "clients that speak TLS 1.2 at most",
            false => "clients",
        };
        let title = format!(
            "The listener {} has a certificate with {} key, and its TLS policy has no cipher suite \
             for such: {who} get no connection.",
            listener.name,
            name_of(key)
        );
        let data = in_gateway(certificate.pointer_to("publicCertData"));
        let seen = seen.map(|place| self.because(&place, "what a client of it gets"));
        let found = finding(Cause::TlsVersionOrCipherMismatch, confidence, title)
            .because(seen)
            .because([
                self.because(&policy.place, "the suites that there are"),
                self.because(&data, "the listener's certificate"),
            ])
            .fixed_by(self.add_suites(&policy, key));
        Some(found)
    }

    /// Where somebody's handshake with a listener failed, or came to TLS 1.3 alone.
    fn failed_handshake(&self, listener: &Item<HttpListener>) -> Option<Place> {
        let port = self.port_of(listener);
        let mut tls = self.evidence.observations.tls.iter();
        let tls = tls.find(|one| {
            let host = one.sni.as_deref().unwrap_or(&one.address);
            let is_new = |version: &String| version.contains("1.3");
            let has_new_alone = !one.versions.is_empty() && one.versions.iter().all(is_new);
            (has_new_alone || is_alert(&one.error))
                && (one.port.is_none() || one.port == port)
                && takes_host(listener, host)
                && !self.is_of_a_server(one)
        });
        let mut http = self.evidence.observations.http.iter();
        let http = http.find(|one| {
            let host = one.host().unwrap_or_default();
            one.status.is_none() && is_alert(&one.error) && takes_host(listener, host)
        });
        let tls = tls.map(|one| &one.place);
        tls.or_else(|| http.map(|one| &one.place)).cloned()
    }

    /// The gateway's own policy.
    fn own_policy(&self) -> Option<Policy<'_>> {
        let gateway = &self.evidence.gateway;
        Some(Policy {
            policy: gateway.properties.ssl_policy.as_ref()?,
            profile: None,
            place: in_gateway(gateway.source.pointer_to("sslPolicy")),
        })
    }

    /// Has a policy take the suites that servers of today have for a key.
    fn add_suites(&self, policy: &Policy<'_>, key: KeyKind) -> Fix {
        let more = match key {
            KeyKind::Ecdsa => [
                CipherSuite::EcdheEcdsaAes256GcmSha384,
                CipherSuite::EcdheEcdsaAes128GcmSha256,
            ],
            KeyKind::Rsa | KeyKind::Other => [
                CipherSuite::EcdheRsaAes256GcmSha384,
                CipherSuite::EcdheRsaAes128GcmSha256,
            ],
        };
        let all = more.iter().chain(&policy.policy.cipher_suites);
        let suites: Vec<&str> = all.map(|one| one.as_str()).collect();
        let kind = policy.policy.policy_type.unwrap_or(SslPolicyType::Custom);
        let minimum = policy.policy.min_protocol_version;
        let minimum = minimum.map(|minimum| format!(" --min-protocol-version {minimum}"));
        let arguments = format!(
            "--policy-type {kind}{} --cipher-suites {}",
            minimum.unwrap_or_default(),
            suites.join(" ")
        );
        let verb = match policy.profile {
            // Of all parts, az takes no short option for the name of this one.
            Some(profile) => format!("ssl-profile update --name {}", word(&profile.name)),
            None => "ssl-policy set".to_owned(),
        };
        let name = word(&self.evidence.gateway.name);
        let group = word(self.commands.group());
        let command = format!(
            "az network application-gateway {verb} -g {group} --gateway-name {name} {arguments}"
        );
        let edit = self.put_at(&policy.place, "cipherSuites", json!(suites), command);
        let summary = format!(
            "Add suites for {} key to the policy; or take a certificate with a key that it has \
             suites for.",
            name_of(key)
        );
        fix(Owner::Gateway, summary)
            .edit(edit)
            .verified_by(vec![self.commands.gateway("show")])
    }

    /// Puts a member of an object of the gateway's document.
    fn put_at(
        &self,
        place: &Place,
        member: &str,
        value: serde_json::Value,
        command: String,
    ) -> Edit {
        let document = self.document();
        let operations = document.put_over(&document.existing(&place.pointer, member), value);
        Edit {
            command,
            patch: Some(document.patch(operations)),
        }
    }
}

impl Policy<'_> {
    /// Whether a handshake with such a key may come to one of its suites. Policies of the platform
    /// have some for each.
    fn has_suite_for(&self, key: KeyKind, is_v1: bool) -> bool {
        let own = &self.policy.cipher_suites;
        let word = match key {
            KeyKind::Rsa => "_RSA_WITH_",
            KeyKind::Ecdsa => "_ECDSA_WITH_",
            KeyKind::Other => return true,
        };
        // The second generation lists suites with DHE, and never comes to one.
        let is_used = |suite: &str| is_v1 || !suite.starts_with("TLS_DHE_");
        let mut names = own.iter().map(|suite| suite.as_str());
        own.is_empty() || names.any(|suite| suite.contains(word) && is_used(suite))
    }
}

/// With its article.
fn name_of(key: KeyKind) -> &'static str {
    match key {
        KeyKind::Rsa => "an RSA",
        KeyKind::Ecdsa => "an ECDSA",
        KeyKind::Other => "another",
    }
}
