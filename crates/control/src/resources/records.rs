//! Records of what was done. They are stored as resources are, but what they mention they do not
//! use, and no list of resources has them.

/// The type of template deployments.
pub(crate) const DEPLOYMENTS: &str = "Microsoft.Resources/deployments";

/// Whether resources of this type are records.
pub(crate) fn is_record(resource_type: &str) -> bool {
    resource_type.eq_ignore_ascii_case(DEPLOYMENTS)
}
