//! Where the pieces of a script's text lie: enough of the language's tokens to cut out an argument or a line.
//!
//! The language itself tells only where something begins. Nothing is understood here: brackets are matched, and texts and
//! comments are passed over as a whole.

use rhai::Position;

/// One piece of a text that is neither space nor comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Bytes.
    pub(super) start: usize,
    pub(super) end: usize,
    /// How many brackets are open where it stands; an opening bracket counts itself as inside, as a closing one does.
    pub(super) depth: usize,
}

/// A text in pieces.
pub(super) struct Pieces<'t> {
    text: &'t str,
    all: Vec<Piece>,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl<'t> Pieces<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let mut pieces = Vec::new();
        let (mut at, mut depth) = (0, 0_usize);
        while let Some(first) = text[at..].chars().next() {
            let length = length(&text[at..]);
            let is_comment = text[at..].starts_with("//") || text[at..].starts_with("/*");
            if !first.is_whitespace() && !is_comment {
                let closes = matches!(first, ')' | ']' | '}');
                let opens = matches!(&text[at..at + length], "(" | "[" | "{" | "#{" | "?[");
                depth += usize::from(opens);
                pieces.push(Piece { start: at, end: at + length, depth });
                depth = depth.saturating_sub(usize::from(closes));
            }
            at += length;
        }
        Self { text, all: pieces, lines }
    }

    /// The byte that a place of the language is at.
    pub(super) fn byte(&self, position: Position) -> Option<usize> {
        let start = *self.lines.get(position.line()?.checked_sub(1)?)?;
        let rest = &self.text[start..];
        let within = position.position().unwrap_or(1).saturating_sub(1);
        Some(start + rest.char_indices().nth(within).map_or(rest.len(), |(at, _)| at))
    }

    /// The line and column of a byte, from 1, the column in characters.
    pub(super) fn place(&self, byte: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= byte);
        let start = self.lines[line.saturating_sub(1)];
        (line, self.text[start..byte].chars().count() + 1)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn text(&self, piece: Piece) -> &'t str {
        &self.text[piece.start..piece.end]
    }

    /// The piece that begins at this byte.
    pub(super) fn at(&self, byte: usize) -> Option<usize> {
        self.all.binary_search_by_key(&byte, |piece| piece.start).ok()
    }

    pub(super) fn get(&self, at: usize) -> Option<Piece> {
        self.all.get(at).copied()
    }

    /// The text of a piece; empty beyond the last.
    pub(super) fn word(&self, at: usize) -> &'t str {
        self.get(at).map_or("", |piece| self.text(piece))
    }

    /// The bracket that closes the one at `open`.
    pub(super) fn closing(&self, open: usize) -> Option<usize> {
        let depth = self.get(open)?.depth;
        let rest = self.all.iter().enumerate().skip(open + 1);
        let closes = |piece: &Piece| matches!(self.text(*piece), ")" | "]" | "}");
        rest.into_iter().find(|(_, piece)| piece.depth == depth && closes(piece)).map(|(at, _)| at)
    }

    /// The pieces that commas part between a bracket and the one that closes it: first and last piece of each.
    pub(super) fn items(&self, open: usize) -> Vec<(usize, usize)> {
        let (Some(close), Some(depth)) = (self.closing(open), self.get(open).map(|it| it.depth)) else {
            return Vec::new();
        };
        let mut items = Vec::new();
        let mut first = open + 1;
        let mut in_arguments = false;
        for at in open + 1..=close {
            let Some(piece) = self.get(at) else { break };
            // Commas between the arguments of a function written in place part nothing.
            if piece.depth == depth && self.text(piece) == "|" {
                in_arguments = !in_arguments;
            }
            let ends = at == close || (piece.depth == depth && self.text(piece) == "," && !in_arguments);
            if ends {
                if first < at {
                    items.push((first, at - 1));
                }
                first = at + 1;
            }
        }
        items
    }
}

/// How many bytes the piece, the space or the comment has that begins here.
fn length(rest: &str) -> usize {
    let Some(first) = rest.chars().next() else { return 0 };
    let until = |end: Option<usize>, plus: usize| end.map_or(rest.len(), |end| end + plus);
    if rest.starts_with("//") {
        return until(rest.find('\n'), 0);
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    if first == '"' || first == '\'' {
        return quoted(rest, first);
    }
    if first == '`' {
        return until(rest[1..].find('`'), 2);
    }
    if first.is_alphabetic() || first == '_' {
        return until(rest.find(|c: char| !c.is_alphanumeric() && c != '_'), 0);
    }
    if first.is_ascii_digit() {
        return until(rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_'), 0);
    }
    let long =
        ["...", "..=", "??=", "==", "!=", "<=", ">=", "&&", "||", "??", "?.", "?[", "#{", "::", "=>", "+=", "-=", ".."];
    long.iter().find(|it| rest.starts_with(**it)).map_or(first.len_utf8(), |it| it.len())
}

fn block_comment(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => (at, depth) = (at + 2, depth + 1),
            b"*/" => (at, depth) = (at + 2, depth.saturating_sub(1)),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn quoted(text: &str, quote: char) -> usize {
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => drop(letters.next()),
            letter if letter == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        let pieces = Pieces::of(text);
        pieces.all.iter().map(|piece| pieces.text(*piece)).collect()
    }

    #[test]
    fn texts_and_comments_are_passed_over_as_a_whole() {
        assert_eq!(
            words("f(\"a, )\\\"\", `b ${ 1 }`); // )\n/* ( /* */ */ x?.y != #{ a: [1] }"),
            [
                "f",
                "(",
                "\"a, )\\\"\"",
                ",",
                "`b ${ 1 }`",
                ")",
                ";",
                "x",
                "?.",
                "y",
                "!=",
                "#{",
                "a",
                ":",
                "[",
                "1",
                "]",
                "}"
            ]
        );
    }

    #[test]
    fn a_bracket_finds_the_one_that_closes_it_and_what_commas_part() {
        let text = "owner([\"a\", \"b\"], \"hr\", |a, b| f(a, b))";
        let pieces = Pieces::of(text);
        assert_eq!(pieces.closing(1).map(|at| pieces.get(at).unwrap().end), Some(text.len()));
        let items = pieces.items(1).into_iter();
        let items: Vec<&str> =
            items.map(|(a, b)| &text[pieces.get(a).unwrap().start..pieces.get(b).unwrap().end]).collect();
        assert_eq!(items, ["[\"a\", \"b\"]", "\"hr\"", "|a, b| f(a, b)"]);
    }

    #[test]
    fn a_place_of_the_language_counts_characters() {
        let text = "// ü\n ö == 1";
        let pieces = Pieces::of(text);
        let byte = pieces.byte(Position::new(2, 4)).unwrap();
        assert_eq!(&text[byte..byte + 2], "==");
        assert_eq!(pieces.place(byte), (2, 4));
    }
}
