//! Lines of code as they are written, and texts in quotes: the same for every language.

/// `name` between double quotes, for every language here: only visible ASCII stands in headers and templates.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Lines of code, indented as they are nested.
pub(super) struct Lines {
    pub(super) text: String,
    pub(super) unit: &'static str,
    pub(super) depth: usize,
}

impl Lines {
    pub(super) fn new(unit: &'static str) -> Self {
        Self { text: String::new(), unit, depth: 0 }
    }

    pub(super) fn line(&mut self, line: impl AsRef<str>) -> &mut Self {
        let line = line.as_ref();
        if !line.is_empty() {
            self.text.push_str(&self.unit.repeat(self.depth));
            self.text.push_str(line);
        }
        self.text.push('\n');
        self
    }

    /// Several lines.
    pub(super) fn block(&mut self, lines: &str) -> &mut Self {
        for line in lines.trim_matches('\n').lines() {
            self.line(line);
        }
        self
    }

    pub(super) fn deeper(&mut self) -> &mut Self {
        self.depth += 1;
        self
    }

    pub(super) fn back(&mut self) -> &mut Self {
        self.depth -= 1;
        self
    }
}
