//! Nextcloud's capability table.

use crate::model::capability::{AttributeCapability, Capabilities, Replay, Scheme, SetCapability, Support, Unique};

use super::membership::{GROUP, LEVELS, SET};

const KEPT_ID: Support = Support::AtCreation(
    "Nextcloud never changes a user id, over no interface: change `display_name`, which is what people see, or make a new \
     account with the new id and have the files transferred to it there",
);

const KEPT_NAME: Support = Support::No(
    "Nextcloud drops an empty display name without a word (newer versions refuse it); give the name that shall stand there",
);

const NEVER_EMPTY: Support = Support::No("Nextcloud takes only what is installed there, and nothing is not");

/// What Nextcloud knows of accounts and what an administrator can change (`nextcloud.md` 4 and 5).
pub(super) const CAPABILITIES: Capabilities = Capabilities {
    kind: "nextcloud",
    create: Support::Yes,
    create_replay: Replay::LookFirst,
    attributes: &[
        AttributeCapability {
            write: KEPT_ID,
            clear: Support::No("every Nextcloud account has one"),
            unique: Unique::Freed,
            required: true,
            ..AttributeCapability::plain("username", "id")
        },
        // Any number of accounts may hold the same.
        AttributeCapability::plain("email", "email"),
        AttributeCapability { clear: KEPT_NAME, ..AttributeCapability::plain("display_name", "displayname") },
        AttributeCapability::plain("phone", "phone"),
        AttributeCapability { clear: NEVER_EMPTY, ..AttributeCapability::plain("locale", "locale") },
        AttributeCapability {
            clear: Support::No("a Nextcloud account is either on or off"),
            side_effect: "a disabled account keeps its files and cannot sign in",
            ..AttributeCapability::plain("active", "enabled")
        },
        own("address"),
        own("website"),
        own("organisation"),
        own("role"),
        own("headline"),
        own("biography"),
        AttributeCapability { clear: NEVER_EMPTY, ..own("language") },
        AttributeCapability { clear: Support::No("a quota is a size or the word `none`"), ..own("quota") },
        own("manager"),
        AttributeCapability {
            remote: "groups",
            set: Some(SetCapability { named: GROUP, levels: LEVELS, leaving: "" }),
            ..own(SET)
        },
    ],
    operations: &[],
    lookups: &["username", "email", "display_name"],
    facts: &["backend", "sets_display_name", "is_admin", "is_group_admin"],
    // Each request is a whole PHP process there.
    concurrency: 4,
    scheme: Scheme::BasicOrBearer,
    key_scope: None,
};

/// A text that only Nextcloud has.
const fn own(name: &'static str) -> AttributeCapability {
    AttributeCapability { neutral: false, ..AttributeCapability::plain(name, name) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::attribute::NEUTRAL;

    #[test]
    fn every_row_has_a_name_of_its_own_and_neutral_ones_a_known_one() {
        let names: BTreeSet<_> = CAPABILITIES.attributes.iter().map(|row| (row.neutral, row.name)).collect();
        assert_eq!(names.len(), CAPABILITIES.attributes.len());
        for row in CAPABILITIES.attributes.iter().filter(|row| row.neutral) {
            assert!(NEUTRAL.contains(&row.name), "{} is no neutral attribute", row.name);
        }
    }

    #[test]
    fn what_can_be_looked_up_is_in_the_table() {
        for name in CAPABILITIES.lookups {
            assert!(CAPABILITIES.attributes.iter().any(|row| row.neutral && row.name == *name), "{name}");
        }
    }
}
