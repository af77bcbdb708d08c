//! Roles and what each may do, in the order WordPress tells them.
//!
//! The five roles of a fresh site, and the three that `wordpress.md` 3 speaks of: `homeward_reader` with its must-use
//! plugin, `homeward_sync` (`list_users` and `edit_users`) and `homeward_list` (`list_users` alone).

use serde_json::{Map, Value};

/// What an administrator may do that nobody else may, and that the simulator asks for.
pub(super) const ADMINISTRATOR: &str = "administrator";

/// The role that may read everything over REST and change nothing (`wordpress.md` 3).
pub(super) const READER: &str = "homeward_reader";

/// The capability by which the plugin knows its role.
const READS: &str = "homeward_read";

/// The role of somebody who registers.
pub(super) const DEFAULT: &str = "subscriber";

const ROLES: &[(&str, &str)] = &[
    (
        ADMINISTRATOR,
        "switch_themes edit_themes activate_plugins edit_plugins edit_users edit_files manage_options moderate_comments \
         manage_categories manage_links upload_files import unfiltered_html edit_posts edit_others_posts \
         edit_published_posts publish_posts edit_pages read level_10 level_9 level_8 level_7 level_6 level_5 level_4 \
         level_3 level_2 level_1 level_0 edit_others_pages edit_published_pages publish_pages delete_pages \
         delete_others_pages delete_published_pages delete_posts delete_others_posts delete_published_posts \
         delete_private_posts edit_private_posts read_private_posts delete_private_pages edit_private_pages \
         read_private_pages delete_users create_users unfiltered_upload edit_dashboard update_plugins delete_plugins \
         install_plugins update_themes install_themes update_core list_users remove_users promote_users \
         edit_theme_options delete_themes export",
    ),
    (
        "editor",
        "moderate_comments manage_categories manage_links upload_files unfiltered_html edit_posts edit_others_posts \
         edit_published_posts publish_posts edit_pages read level_7 level_6 level_5 level_4 level_3 level_2 level_1 \
         level_0 edit_others_pages edit_published_pages publish_pages delete_pages delete_others_pages \
         delete_published_pages delete_posts delete_others_posts delete_published_posts delete_private_posts \
         edit_private_posts read_private_posts delete_private_pages edit_private_pages read_private_pages",
    ),
    (
        "author",
        "upload_files edit_posts edit_published_posts publish_posts read level_2 level_1 level_0 delete_posts \
         delete_published_posts",
    ),
    ("contributor", "edit_posts read level_1 level_0 delete_posts"),
    (DEFAULT, "read level_0"),
    (READER, "read homeward_read"),
    ("homeward_sync", "read list_users edit_users"),
    ("homeward_list", "read list_users"),
];

/// True for a role that the site has.
pub(super) fn exists(role: &str) -> bool {
    ROLES.iter().any(|(name, _)| *name == role)
}

/// True where a role holds a capability.
pub(super) fn grants(role: &str, capability: &str) -> bool {
    ROLES.iter().any(|(name, capabilities)| *name == role && capabilities.split(' ').any(|it| it == capability))
}

/// True where one of these roles lets its holder read all users, though no role names the rights for it.
pub(super) fn read_all(roles: &[String]) -> bool {
    roles.iter().any(|role| grants(role, READS))
}

/// Everything that somebody with these roles may do, as REST tells it: what the roles hold, then the roles themselves.
pub(super) fn capabilities(roles: &[String]) -> Map<String, Value> {
    let of_roles = roles.iter().flat_map(|role| {
        ROLES.iter().filter(move |(name, _)| name == role).flat_map(|(_, capabilities)| capabilities.split(' '))
    });
    let names = of_roles.chain(roles.iter().map(String::as_str));
    names.map(|name| (name.to_owned(), Value::Bool(true))).collect()
}

/// The capabilities given to somebody directly: the names of the roles.
pub(super) fn extra_capabilities(roles: &[String]) -> Map<String, Value> {
    roles.iter().map(|role| (role.clone(), Value::Bool(true))).collect()
}
