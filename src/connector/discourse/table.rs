//! Discourse's capability table.

use crate::model::capability::{AttributeCapability, Capabilities, Replay, Scheme, SetCapability, Support, Unique};

use super::groups::{GROUP, MEMBER, SET};

const NEEDED: Support = Support::No("every Discourse account has one");

const LATER: &str = "Discourse writes a letter and keeps the old address until the person confirms the new one, so this \
                     call ends as pending; only a further address of hers, and what DiscourseConnect overrides, is changed \
                     at once";

/// What Discourse knows of accounts and what an administrator's key can change (`discourse.md` 4 to 9).
pub(super) const CAPABILITIES: Capabilities = Capabilities {
    kind: "discourse",
    create: Support::No(
        "Homeward makes no Discourse accounts: people register there or come with their first sign-in, and are found from \
         then on",
    ),
    create_replay: Replay::AskOperator,
    attributes: &[
        AttributeCapability {
            clear: NEEDED,
            // Groups and users share these names: a clash with a group shows only as a no.
            unique: Unique::Freed,
            required: true,
            side_effect: "mentions and quotes are rewritten; links to the old profile end",
            ..AttributeCapability::plain("username", "new_username")
        },
        AttributeCapability {
            clear: NEEDED,
            unique: Unique::Freed,
            required: true,
            side_effect: LATER,
            ..AttributeCapability::plain("email", "email")
        },
        AttributeCapability::plain("display_name", "name"),
        AttributeCapability {
            clear: Support::No("a Discourse account is either on or off"),
            side_effect: "a suspended account is signed out, and shown to others as suspended",
            ..AttributeCapability::plain("active", "active")
        },
        AttributeCapability::plain("locale", "locale"),
        AttributeCapability::plain("first_name", FIELD),
        AttributeCapability::plain("last_name", FIELD),
        AttributeCapability::plain("nickname", FIELD),
        AttributeCapability::plain("position", FIELD),
        AttributeCapability::plain("department", FIELD),
        AttributeCapability::plain("timezone", FIELD),
        AttributeCapability::plain("phone", FIELD),
        own("title", "title"),
        own("bio", "bio_raw"),
        own("location", "location"),
        own("website", "website"),
        own("user_field_1", FIELD),
        own("user_field_2", FIELD),
        own("user_field_3", FIELD),
        own("user_field_4", FIELD),
        own("user_field_5", FIELD),
        own("user_field_6", FIELD),
        own("user_field_7", FIELD),
        own("user_field_8", FIELD),
        own("user_field_9", FIELD),
        own("user_field_10", FIELD),
        own("user_field_11", FIELD),
        own("user_field_12", FIELD),
        own("user_field_13", FIELD),
        own("user_field_14", FIELD),
        own("user_field_15", FIELD),
        own("user_field_16", FIELD),
        own("user_field_17", FIELD),
        own("user_field_18", FIELD),
        own("user_field_19", FIELD),
        own("user_field_20", FIELD),
        AttributeCapability {
            set: Some(SetCapability { named: GROUP, levels: &[MEMBER], leaving: "" }),
            ..own(SET, "groups")
        },
    ],
    operations: &[],
    lookups: &["username", "email"],
    facts: &["state", "is_admin", "is_moderator", "staged", "unconfirmed_email"],
    // Sixty requests a minute are soon used up.
    concurrency: 2,
    scheme: Scheme::Header("Api-Key"),
    key_scope: None,
};

/// The field of a profile that holds all user fields.
pub(super) const FIELD: &str = "user_fields";

/// A text that only Discourse has.
const fn own(name: &'static str, remote: &'static str) -> AttributeCapability {
    AttributeCapability { neutral: false, ..AttributeCapability::plain(name, remote) }
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
    fn what_can_be_looked_up_is_in_the_table_and_unique() {
        for name in CAPABILITIES.lookups {
            let row = CAPABILITIES.attributes.iter().find(|row| row.neutral && row.name == *name).unwrap();
            assert_ne!(row.unique, Unique::No, "{name}");
        }
    }
}
