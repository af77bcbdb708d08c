//! WordPress's capability table.

use crate::model::capability::{AttributeCapability, Capabilities, Replay, Scheme, Support, Unique};

const LOGIN: Support = Support::No(
    "WordPress keeps a login for ever: over REST it answers 400 to any other, even to other letter case; a person with a \
     plugin for renaming can change it there",
);

const NO_SWITCH: Support = Support::No(
    "WordPress has no switch for accounts; a person can take the account's roles away there, or delete it and say who \
     gets what it wrote",
);

const SHOWN_BY_LOGIN: Support = Support::No("where it is empty, WordPress puts the login there instead");

/// What WordPress knows of accounts and what an account that may edit users can change (`wordpress.md` 4 and 6).
pub(super) const CAPABILITIES: Capabilities = Capabilities {
    kind: "wordpress",
    create: Support::No(
        "a new WordPress account needs a role, and which one decides what somebody may do to the site; a person makes it \
         there, and it is found from then on",
    ),
    create_replay: Replay::AskOperator,
    attributes: &[
        AttributeCapability {
            write: LOGIN,
            clear: LOGIN,
            unique: Unique::Freed,
            required: true,
            ..AttributeCapability::plain("username", "username")
        },
        AttributeCapability {
            clear: Support::No("WordPress takes no empty address, though accounts without one can be met"),
            unique: Unique::Freed,
            required: true,
            side_effect: "WordPress writes to the old address",
            ..AttributeCapability::plain("email", "email")
        },
        AttributeCapability { clear: SHOWN_BY_LOGIN, ..AttributeCapability::plain("display_name", "name") },
        AttributeCapability::plain("first_name", "first_name"),
        AttributeCapability::plain("last_name", "last_name"),
        AttributeCapability { clear: SHOWN_BY_LOGIN, ..AttributeCapability::plain("nickname", "nickname") },
        AttributeCapability {
            clear: Support::No("where an account has no language of its own, WordPress shows the site's"),
            ..AttributeCapability::plain("locale", "locale")
        },
        // Every account that is there can sign in. The row is here so that a wish to switch one off is told why not.
        AttributeCapability { write: NO_SWITCH, clear: NO_SWITCH, ..AttributeCapability::plain("active", "") },
        AttributeCapability { neutral: false, ..AttributeCapability::plain("url", "url") },
    ],
    operations: &[],
    lookups: &["username", "email"],
    facts: &["roles", "is_admin"],
    // Each write is a whole PHP process there, and a small site has few.
    concurrency: 2,
    scheme: Scheme::Basic,
    key_scope: None,
};

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
