//! The ownership table as a drawing (SVG): owners on the left, attributes in the middle, copies on the right.
//!
//! It is laid out in rows, one for each attribute, so that the same rules always give the same drawing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use crate::model::{
    attribute::AttributeName,
    id::SystemName,
    policy::{OwnerLine, Policy},
};

/// The height of a row, in pixels.
const ROW: usize = 44;
/// The height of a box.
const BOX: usize = 28;
/// The width of a character of the font, near enough for boxes.
const CHARACTER: usize = 8;
/// The room between two columns.
const GAP: usize = 160;
/// The room around everything.
const MARGIN: usize = 24;

const STYLE: &str = "text{font:14px sans-serif;fill:#1f2328;text-anchor:middle;dominant-baseline:central}\
rect{fill:#f6f8fa;stroke:#59636e}rect.system{fill:#ddf4ff;stroke:#0969da}path{fill:none;stroke:#59636e;stroke-width:1.5}\
path.may{stroke-dasharray:6 4}path.copy{stroke:#1a7f37}";

/// Draws who owns what and where copies go.
pub(super) fn drawing(policy: &Policy) -> String {
    let mut attributes: Vec<&AttributeName> = Vec::new();
    for attribute in policy.owners.iter().flat_map(|line| &line.attributes) {
        if !attributes.contains(&attribute) {
            attributes.push(attribute);
        }
    }
    let owners: BTreeSet<&SystemName> = policy.owners.iter().map(|line| &line.system).collect();
    let copies =
        |attribute: &AttributeName| policy.copy(attribute).map(|line| line.systems.as_slice()).unwrap_or_default();
    let receivers: BTreeSet<&SystemName> = attributes.iter().flat_map(|attribute| copies(attribute)).collect();

    let width = |names: &mut dyn Iterator<Item = &str>| {
        names.map(|name| name.chars().count()).max().unwrap_or_default() * CHARACTER + 24
    };
    let left = Column { x: MARGIN, width: width(&mut owners.iter().map(|it| it.as_str())) };
    let middle = Column { x: left.end() + GAP, width: width(&mut attributes.iter().map(|it| it.as_str())) };
    let right = Column { x: middle.end() + GAP, width: width(&mut receivers.iter().map(|it| it.as_str())) };
    let rows = attributes.len().max(owners.len()).max(receivers.len()).max(1);
    let (total, height) = (right.end() + MARGIN, rows * ROW + 2 * MARGIN);

    let place = |names: Vec<&str>| -> BTreeMap<String, usize> {
        // Fewer boxes than rows stand in the middle of them.
        let offset = MARGIN + (rows - names.len()) * ROW / 2;
        names.iter().enumerate().map(|(at, name)| ((*name).to_owned(), offset + at * ROW + ROW / 2)).collect()
    };
    let on_left = place(owners.iter().map(|it| it.as_str()).collect());
    let in_middle = place(attributes.iter().map(|it| it.as_str()).collect());
    let on_right = place(receivers.iter().map(|it| it.as_str()).collect());

    let mut text = String::new();
    let _ = writeln!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{total}\" height=\"{height}\" viewBox=\"0 0 {total} {height}\" \
         role=\"img\">\n<title>Who owns what</title>\n<style>{STYLE}</style>"
    );
    let at = |column: &BTreeMap<String, usize>, name: &str| column.get(name).copied().unwrap_or_default();
    for OwnerLine { attributes, system, conditional, origin } in &policy.owners {
        for attribute in attributes {
            let class = if *conditional { "may" } else { "owns" };
            let word = if *conditional { "may own" } else { "owns" };
            let tip = format!("{system} {word} {attribute} ({origin})");
            let from = (left.end(), at(&on_left, system.as_str()));
            line(&mut text, class, from, (middle.x, at(&in_middle, attribute.as_str())), &tip);
        }
    }
    for attribute in &attributes {
        for system in copies(attribute) {
            let tip = format!("{attribute} is copied to {system}");
            let from = (middle.end(), at(&in_middle, attribute.as_str()));
            line(&mut text, "copy", from, (right.x, at(&on_right, system.as_str())), &tip);
        }
    }
    left.boxes(&mut text, "system", &on_left);
    middle.boxes(&mut text, "attribute", &in_middle);
    right.boxes(&mut text, "system", &on_right);
    text.push_str("</svg>\n");
    text
}

/// One column of boxes.
struct Column {
    x: usize,
    width: usize,
}

impl Column {
    fn end(&self) -> usize {
        self.x + self.width
    }

    fn boxes(&self, text: &mut String, class: &str, places: &BTreeMap<String, usize>) {
        for (name, y) in places {
            let (x, width, top) = (self.x, self.width, y - BOX / 2);
            let middle = x + width / 2;
            let _ = writeln!(
                text,
                "<rect class=\"{class}\" x=\"{x}\" y=\"{top}\" width=\"{width}\" height=\"{BOX}\" rx=\"6\"/>\
                 <text x=\"{middle}\" y=\"{y}\">{}</text>",
                escaped(name)
            );
        }
    }
}

/// A curve between two boxes, with words for whoever points at it.
fn line(text: &mut String, class: &str, from: (usize, usize), to: (usize, usize), tip: &str) {
    let half = usize::midpoint(from.0, to.0);
    let _ = writeln!(
        text,
        "<path class=\"{class}\" d=\"M{} {} C{half} {} {half} {} {} {}\"><title>{}</title></path>",
        from.0,
        from.1,
        from.1,
        to.1,
        to.0,
        to.1,
        escaped(tip)
    );
}

/// Text that cannot be taken for markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_be_taken_for_markup() {
        assert_eq!(escaped("a<b & \"c\">"), "a&lt;b &amp; &quot;c&quot;&gt;");
    }
}
