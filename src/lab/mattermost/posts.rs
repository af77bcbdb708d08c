//! Messages: `POST /posts`.
//!
//! The contract is silent about them; this follows the server's own `api4/post.go` and `app/post.go`. The server keeps a
//! `pending_post_id` for thirty seconds and answers a second message with the same one with the first. Here it is only
//! shown again: nobody should build on half a minute.

use serde_json::{Value, json};

use super::{
    answer::{Answer, AppError},
    asked::{Asked, expected},
    body, clock,
    server::{Permission, Server},
    session::Session,
    teams::Channel,
};

/// The longest message, in characters.
const LONGEST: usize = 16_383;

/// One message.
#[derive(Clone, Debug)]
pub(super) struct Post {
    id: String,
    create_at: i64,
    user: String,
    channel: String,
    root: String,
    message: String,
}

impl Post {
    fn view(&self, pending: &str) -> Value {
        json!({
            "id": self.id, "create_at": self.create_at, "update_at": self.create_at, "edit_at": 0, "delete_at": 0,
            "is_pinned": false, "user_id": self.user, "channel_id": self.channel, "root_id": self.root,
            "original_id": "", "message": self.message, "type": "", "props": {}, "hashtags": "",
            "pending_post_id": pending, "reply_count": 0, "last_reply_at": 0, "participants": null, "metadata": {},
        })
    }

    /// As the state of the lab shows it: with names people know.
    pub(super) fn dump(&self, server: &Server) -> Value {
        let user = server.users.get(&self.user).map_or(&self.user, |user| &user.username);
        json!({
            "id": self.id, "channel": server.teams.full_name(&self.channel), "user": user, "message": self.message,
        })
    }
}

/// `POST /posts`: in whoever's name the session is.
pub(super) fn create(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let wanted = body::structure(&asked.body).map_err(expected("post"))?;
    let text = |name| wanted.text(name).map(Option::unwrap_or_default).map_err(expected("post"));
    let (id, message, root) = (text("channel_id")?, text("message")?, text("root_id")?);
    let (kind, pending) = (text("type")?, text("pending_post_id")?);
    // A channel that does not exist is as forbidden as one that may not be written to.
    let channel = server.teams.channels.get(&id).filter(|channel| may_write(server, session, channel));
    let channel = channel.ok_or_else(AppError::permissions)?;
    if kind.starts_with("system_") {
        return Err(AppError::body_param("post.type"));
    }
    if channel.delete_at > 0 {
        let message = "Can not post to deleted channel.";
        return Err(AppError::bad("api.post.create_post.can_not_post_to_deleted.error", message));
    }
    if !root.is_empty() && !server.posts.iter().any(|post| post.id == root && post.root.is_empty()) {
        return Err(AppError::bad("api.post.create_post.root_id.app_error", "Invalid RootId parameter."));
    }
    if message.chars().count() > LONGEST {
        let message = "Post Message property is longer than the maximum permitted length.";
        return Err(AppError::bad("model.post.is_valid.message_length.app_error", message));
    }
    let post = Post {
        id: clock::id("post", server.number()),
        create_at: server.clock.tick(),
        user: session.user.clone(),
        channel: id,
        root,
        message,
    };
    let view = post.view(&pending);
    server.posts.push(post);
    Ok(Answer::created(view))
}

/// Administrators write everywhere, everybody else where she is a member.
fn may_write(server: &Server, session: &Session, channel: &Channel) -> bool {
    server.may(session, Permission::ManageSystem) || channel.members.contains_key(&session.user)
}
