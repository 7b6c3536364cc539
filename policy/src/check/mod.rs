//! From texts to a policy: reading, kinds of files, names, references.

mod files;
mod names;

use alloc::vec::Vec;

use crate::diagnostic::{Diagnostics, Severity};
use crate::model::{Model, NONE, OVERRIDDEN};
use crate::parse::parse;
use crate::policy::Policy;
use crate::schema::Language;
use crate::source::Sources;

/// Reads and checks all texts.
pub(crate) fn read<'a>(
    language: &'a Language,
    sources: &'a Sources,
    out: &mut Diagnostics,
) -> Policy<'a> {
    let errors = out.count(Severity::Error);
    let mut model = Model::default();
    let mut trees = Vec::new();
    for (id, source) in sources.iter() {
        trees.push(parse(language, id, source, &mut model, out));
    }
    let kinds = files::kinds(language, sources, &model, out);
    names::bind(language, sources, &mut model, out);
    let mut roots = Vec::new();
    roots.resize_with(language.statements().count(), Vec::new);
    for (i, object) in (0_u32..).zip(&model.objects) {
        if object.parent == NONE
            && object.flags & OVERRIDDEN == 0
            && let Some(list) = roots.get_mut(usize::from(object.statement))
        {
            list.push(i);
        }
    }
    Policy {
        sources,
        language,
        model,
        trees,
        kinds,
        roots,
        has_errors: out.count(Severity::Error) > errors,
    }
}
