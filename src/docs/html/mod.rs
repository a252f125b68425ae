//! Documents as HTML: blocks, the file that one is alone, and the pages of `/docs` with all that is around them.

mod blocks;
mod escape;
mod shell;
mod trial;
