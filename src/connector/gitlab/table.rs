//! GitLab's capability table.

use crate::model::capability::{AttributeCapability, Capabilities, Replay, Scheme, SetCapability, Support, Unique};

use super::{
    level::LEVELS,
    membership::{GROUP, SET},
    operations::OPERATIONS,
};

const NEEDED: Support = Support::No("every GitLab account has one");

const ONLY_IN_PERSON: &str =
    "GitLab lets only the person change it, in the profile settings; the interface drops it without a word";

/// What GitLab knows of accounts and what an administrator's token can change.
pub(super) const CAPABILITIES: Capabilities = Capabilities {
    kind: "gitlab",
    create: Support::Yes,
    create_replay: Replay::LookFirst,
    attributes: &[
        AttributeCapability {
            name: "username",
            neutral: true,
            remote: "username",
            write: Support::Yes,
            clear: NEEDED,
            // Groups and users share these names, and groups cannot be looked up here: such a clash shows only as a no.
            unique: Unique::Freed,
            required: true,
            side_effect: "the personal namespace and projects move; old addresses redirect until somebody takes them",
            set: None,
        },
        AttributeCapability {
            name: "email",
            neutral: true,
            remote: "email",
            write: Support::Yes,
            clear: NEEDED,
            unique: Unique::Kept(
                "the old address stays with the account as a secondary address, so it is not free for others until it \
                 is deleted there",
            ),
            required: true,
            side_effect: "GitLab writes to the old address, which stays with the account as a secondary one",
            set: None,
        },
        AttributeCapability {
            name: "display_name",
            neutral: true,
            remote: "name",
            write: Support::Yes,
            clear: NEEDED,
            unique: Unique::No,
            required: true,
            side_effect: "the personal namespace takes the new name",
            set: None,
        },
        AttributeCapability {
            name: "active",
            neutral: true,
            remote: "state",
            write: Support::Yes,
            clear: Support::No("a GitLab account is either on or off"),
            unique: Unique::No,
            required: false,
            side_effect: "a blocked account cannot sign in, here or to what signs in through GitLab",
            set: None,
        },
        read_only("locale", true, "preferred_language"),
        read_only("position", true, "job_title"),
        AttributeCapability {
            clear: Support::Yes,
            side_effect: "shown to everybody who can see the profile",
            ..own("public_email")
        },
        AttributeCapability {
            clear: Support::No("without one of its own GitLab uses the primary address: set that instead"),
            side_effect: "commits made in the web interface carry it from now on",
            ..own("commit_email")
        },
        own("organization"),
        own("location"),
        own("note"),
        own("bio"),
        AttributeCapability {
            remote: "access_level",
            set: Some(SetCapability { named: GROUP, levels: LEVELS, leaving: "" }),
            ..own(SET)
        },
        read_only("job_title", false, "job_title"),
        read_only("preferred_language", false, "preferred_language"),
    ],
    operations: OPERATIONS,
    lookups: &["username", "email"],
    facts: &["state", "is_admin", "bot", "external", "also_holds"],
    concurrency: 4,
    // Personal tokens travel this way as well as in a header of GitLab's own, OAuth tokens only this way (1.1).
    scheme: Scheme::Bearer,
    key_scope: None,
};

/// A free text that only GitLab has.
const fn own(name: &'static str) -> AttributeCapability {
    AttributeCapability {
        name,
        neutral: false,
        remote: name,
        write: Support::Yes,
        clear: Support::Yes,
        unique: Unique::No,
        required: false,
        side_effect: "",
        set: None,
    }
}

/// What is shown and cannot be changed (`gitlab.md` 3.1).
const fn read_only(name: &'static str, neutral: bool, remote: &'static str) -> AttributeCapability {
    AttributeCapability {
        name,
        neutral,
        remote,
        write: Support::No(ONLY_IN_PERSON),
        clear: Support::No(ONLY_IN_PERSON),
        unique: Unique::No,
        required: false,
        side_effect: "",
        set: None,
    }
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
