//! `homeward compare`: what two folders of rules would do differently.
use super::{Exit, Invocation, arguments, diagnostic::Trouble};
pub(super) async fn compare(_: &Invocation<'_>, _: &arguments::Compare) -> Result<Exit, Trouble> { Ok(Exit::Done) }
