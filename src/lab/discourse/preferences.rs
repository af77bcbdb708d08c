//! What a profile shows of a person's preferences (`discourse.md` 3). Nobody changes them here: they are those of somebody
//! who never looked at them.

use serde_json::{Value, json};

/// When somebody wants to be told of things.
pub(super) fn schedule() -> Value {
    let mut schedule = json!({ "enabled": false });
    for day in 0..7 {
        schedule[format!("day_{day}_start_time")] = 480.into();
        schedule[format!("day_{day}_end_time")] = 1020.into();
    }
    schedule
}

/// Everything else.
pub(super) fn options(id: i64) -> Value {
    let mut options = json!({
        "user_id": id, "mailing_list_mode": false, "mailing_list_mode_frequency": 1, "email_digests": true,
        "email_level": 1, "email_messages_level": 0, "external_links_in_new_tab": false, "color_scheme_id": null,
        "dark_scheme_id": null, "dynamic_favicon": false, "enable_quoting": true, "enable_smart_lists": true,
        "enable_markdown_monospace_font": true, "digest_after_minutes": 10080, "automatically_unpin_topics": true,
        "auto_track_topics_after_msecs": 240_000, "notification_level_when_replying": 2,
        "new_topic_duration_minutes": 2880, "email_previous_replies": 2, "email_in_reply_to": true,
        "like_notification_frequency": 1, "notify_on_linked_posts": true, "push_notification_level": "mentions",
    });
    let more = json!({
        "enable_upcoming_change_available_notifications": true, "include_tl0_in_digests": false, "theme_ids": [],
        "theme_key_seq": 0, "allow_private_messages": true, "enable_allowed_pm_users": false, "homepage_id": null,
        "hide_profile_and_presence": false, "hide_profile": false, "hide_presence": false, "text_size": "normal",
        "text_size_seq": 0, "title_count_mode": "notifications", "timezone": null, "skip_new_user_tips": false,
        "topics_unread_when_closed": true, "interface_color_mode": 1, "show_original_content": false,
        "send_shortcut": "meta_enter", "automatically_translate": false, "understood_languages": [],
    });
    if let (Some(options), Value::Object(more)) = (options.as_object_mut(), more) {
        options.extend(more);
    }
    options
}
