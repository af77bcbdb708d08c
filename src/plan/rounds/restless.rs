//! The short proof: where nothing that rounds change has a say in what rounds do, one round is enough.
//!
//! Mere sources show the same each time; then owners are the same, so the same is asked for and the same is pushed, and
//! what is pushed once is there. Four things can break this: a condition that reads what may change, a value that comes
//! by itself to an account that matters, a source that shows what was written to it, and a rule that sends changes
//! elsewhere.

use super::{
    Answer,
    board::{Board, Field},
};

/// Whether a longer look is needed at this part.
pub(super) fn is_restless(board: &Board<'_>) -> bool {
    let reads = |field: &Field<'_>| {
        let claims = field.owners.iter().chain(field.accounts.iter().flatten());
        claims.filter_map(|claim| claim.condition).any(|condition| !is_steady(board, condition, 0))
    };
    board.attributes.iter().any(|field| {
        let mut systems = 0..board.systems.len();
        // A route may answer otherwise once what it was told of has changed.
        let is_routed = !field.routes.is_empty();
        is_routed
            || reads(field)
            || systems.any(|system| speaks_back(board, field, system) || is_moved(board, field, system))
    })
}

/// The same from round to round.
fn is_steady(board: &Board<'_>, condition: usize, depth: usize) -> bool {
    board.conditions[condition].reads.iter().all(|sight| match sight.at {
        None => true,
        Some((Some(system), _)) => !board.systems[system].is_provider,
        // A chain longer than there are attributes leads back to where it began.
        Some((None, attribute)) => {
            depth <= board.attributes.len()
                && board.attributes[attribute].owners.iter().all(|claim| {
                    !board.systems[claim.system].is_provider
                        && claim.condition.is_none_or(|condition| is_steady(board, condition, depth + 1))
                })
        }
    })
}

/// A source that shows what is written to it.
fn speaks_back(board: &Board<'_>, field: &Field<'_>, system: usize) -> bool {
    let player = &board.systems[system];
    player.is_provider && !player.is_absent && field.speakers[system].is_some()
}

/// A value comes by itself to an account that is written to, or whose word counts.
fn is_moved(board: &Board<'_>, field: &Field<'_>, system: usize) -> bool {
    let Some(way) = field.holders[system].as_ref().and_then(|place| place.comes.as_ref()) else { return false };
    if board.systems[system].is_absent || board.systems[way.from].is_absent {
        return false;
    }
    let owns = field.owners.iter().any(|claim| claim.system == system);
    let is_written = field.copies[system].is_some() || field.accounts[system].is_some();
    let is_left_alone = way.is_foreseen && way.answer != Answer::Takes && !field.is_truth;
    owns || (is_written && !is_left_alone)
}
