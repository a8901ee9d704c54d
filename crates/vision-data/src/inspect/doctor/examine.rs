//! Examining single files, and then grouping copies and look-alikes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use image::ImageFormat;
use memchr::memmem;
use sha2::{Digest, Sha256};
use vision_base::message::{shown, spelled};

use crate::image::Image;
use crate::image::decode::{How, decode_to};
use crate::image::header::{ColorMode, Facts};
use crate::image::limits::Limits;
use crate::image::problem::ImageProblem;
use crate::image::size::PixelSize;
use crate::image_source::ImageContent;
use crate::inspect::doctor::cases::{Case, Cases};
use crate::inspect::doctor::finding::{Finding, FindingKind, FoundFile, Split};
use crate::inspect::doctor::look::Look;
use crate::inspect::doctor::similar;
use crate::labels::alike;

/// The results for one file; a few hundred bytes.
pub(super) struct Exam {
    problem: Option<ImageProblem>,
    facts: Option<Facts>,
    /// The first half of the SHA-256 of its bytes: enough to tell files apart.
    hash: Option<[u8; 16]>,
    look: Option<Look>,
    blank: bool,
    /// The share of pixels that are not opaque, if there is no background.
    transparent: f32,
    /// The size of the image, after applying the EXIF orientation.
    size: Option<PixelSize>,
    /// The target of the symlink, if it is dangling.
    dangling: Option<PathBuf>,
}

pub(super) fn examine(
    case: &Case,
    limits: &Limits,
    background: Option<[u8; 3]>,
    look: bool,
) -> Exam {
    let mut exam = Exam {
        problem: None,
        facts: None,
        hash: None,
        look: None,
        blank: false,
        transparent: 0.0,
        size: None,
        dangling: None,
    };
    // The permit of a large file is held until it is decoded.
    let (content, _permit) = match case.content(limits) {
        Ok(content) => (content.value, content.permit),
        Err(problem) => {
            exam.problem = Some(problem);
            exam.dangling = case.is_file().then(|| dangling(&case.path)).flatten();
            return exam;
        }
    };
    let hash = match &content {
        ImageContent::Encoded(bytes) => {
            exam.facts = Facts::of(bytes);
            Sha256::digest(bytes)
        }
        ImageContent::Pixels(image) => {
            let sides = [image.width(), image.height()].map(u32::to_le_bytes);
            Sha256::new_with_prefix(sides.as_flattened())
                .chain_update(image.pixels())
                .finalize()
        }
    };
    exam.hash = hash.first_chunk::<16>().copied();
    let how = How {
        side: None,
        background,
    };
    if let ImageContent::Encoded(bytes) = &content
        && background.is_none()
        && exam
            .facts
            .is_some_and(|facts| may_be_transparent(facts, bytes))
    {
        exam.transparent = transparent(bytes, limits);
    }
    match content.decode(limits, how) {
        Ok(image) => {
            let image = image.map(Image::into_rgb_image);
            let first = image.pixels().next();
            let (width, height) = image.dimensions();
            exam.size = Some(PixelSize { width, height });
            exam.blank = image.pixels().all(|pixel| Some(pixel) == first);
            exam.look = look.then(|| Look::of(&image));
        }
        Err(problem) => exam.problem = Some(problem),
    }
    exam
}

fn may_be_transparent(facts: Facts, bytes: &[u8]) -> bool {
    match facts.mode {
        ColorMode::GrayAlpha | ColorMode::RgbAlpha | ColorMode::Palette => true,
        // One color may stand for transparency; its chunk comes before the pixels.
        _ if facts.format == ImageFormat::Png => {
            let pixels = memmem::find(bytes, b"IDAT").unwrap_or(bytes.len());
            memmem::find(&bytes[..pixels], b"tRNS").is_some()
        }
        _ => false,
    }
}

/// The share of pixels that are not opaque: those that differ over black and over white.
fn transparent(bytes: &[u8], limits: &Limits) -> f32 {
    let over = |background| {
        let how = How {
            side: None,
            background: Some([background; 3]),
        };
        decode_to(bytes, limits, how)
    };
    let (Ok(black), Ok(white)) = (over(0), over(255)) else {
        // The problem is found when it is decoded as it is.
        return 0.0;
    };
    let pairs = black.pixels().zip(white.pixels());
    let differ = pairs.filter(|(black, white)| black != white).count();
    differ as f32 / (black.width() as f32 * black.height() as f32)
}

/// The target of a symlink that does not lead to a file.
fn dangling(path: &Path) -> Option<PathBuf> {
    let denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    let error = fs::metadata(path).err()?;
    fs::read_link(path).ok().filter(|_| !denied(&error))
}

/// Findings about single files and unreadable folders.
pub(super) fn findings(cases: &Cases, exams: &[Exam], huge: u64) -> Vec<Finding> {
    let parts = cases.unsized_parts.iter();
    let differ = parts.filter_map(|split| sizes_differ(*split, cases, exams));
    let mut findings: Vec<Finding> = differ.collect();
    findings.extend(enlarged(cases, exams));
    findings.extend(cases.skipped.folders.iter().map(|folder| {
        let files = vec![FoundFile::of_path(&folder.path)];
        Finding::new(FindingKind::UnreadableFolder, folder.reason.clone(), files)
    }));
    findings.extend(cases.skipped.unread.iter().map(|path| {
        let message = "its format is unsupported, so it was skipped".to_owned();
        Finding::new(
            FindingKind::UnreadFormat,
            message,
            vec![FoundFile::of_path(path)],
        )
    }));
    for (item, exam) in exams.iter().enumerate() {
        let mut file = cases.file(item);
        if let Some(problem) = &exam.problem {
            file.quarantine = true;
            let (kind, message) = match &exam.dangling {
                Some(target) => (
                    FindingKind::DanglingLink,
                    format!("it points to {}, which does not exist", shown(target)),
                ),
                None => (FindingKind::of(problem), problem.to_string()),
            };
            findings.push(Finding::new(kind, message, vec![file.clone()]));
            file.quarantine = false;
        }
        let Some(facts) = exam.facts else {
            continue;
        };
        let mut found = |kind, message: String| {
            findings.push(Finding::new(kind, message, vec![file.clone()]));
        };
        let pixels = u64::from(facts.size.width) * u64::from(facts.size.height);
        if let Some(expected) = extension_should_be(&file.path, facts.format) {
            found(FindingKind::WrongExtension, format!("it is {expected}"));
        }
        // The other checks do not matter if the file cannot be decoded.
        if exam.problem.is_some() {
            continue;
        }
        if pixels > huge {
            found(FindingKind::Huge, format!("{} pixels", facts.size));
        }
        if facts.mode == ColorMode::Cmyk {
            found(FindingKind::Cmyk, "four channels".to_owned());
        }
        if exam.transparent > 0.0 {
            let percent = (exam.transparent * 100.0).max(0.1);
            let message = format!(
                "{percent:.1} % of its pixels are transparent or partly so, and have the color that the file \
                 stores for them"
            );
            found(FindingKind::Transparent, message);
        }
        if facts.bits == 16 {
            found(FindingKind::SixteenBit, facts.mode.to_string());
        }
        if facts.animated {
            found(FindingKind::Animated, "several frames".to_owned());
        }
        if facts.rotated {
            let message = "its EXIF data asks for turning or mirroring".to_owned();
            found(FindingKind::Rotated, message);
        }
        if exam.blank {
            found(
                FindingKind::Blank,
                "every pixel has the same color".to_owned(),
            );
        }
    }
    findings
}

/// The first image of a part and the first of another size, if images are not resized to one size.
fn sizes_differ(split: Split, cases: &Cases, exams: &[Exam]) -> Option<Finding> {
    let sizes = exams.iter().zip(&cases.all).enumerate();
    let sizes = sizes.filter(|(_, (_, case))| case.split == Some(split));
    let mut sizes = sizes.filter_map(|(item, (exam, _))| Some((item, exam.size?)));
    let (first, size) = sizes.next()?;
    let mut others = sizes.filter(|(_, other)| *other != size);
    let (second, other) = others.next()?;
    let message = format!(
        "{size} and {other}; {} differ from the first",
        1 + others.count()
    );
    let files = vec![cases.file(first), cases.file(second)];
    Some(Finding::new(FindingKind::SizesDiffer, message, files))
}

/// The smallest of the images whose shorter side is less than half of that of the data's size.
fn enlarged(cases: &Cases, exams: &[Exam]) -> Option<Finding> {
    let side = cases.side?;
    let sides = exams.iter().enumerate().filter_map(|(item, exam)| {
        let size = exam.size?;
        Some((size.width.min(size.height), item, size))
    });
    let small = || sides.clone().filter(|(own, ..)| 2 * *own as usize <= side);
    let (_, item, size) = small().min_by_key(|(own, item, _)| (*own, *item))?;
    let message = format!(
        "{} of {} images have a shorter side of at most half of {side} pixels; the smallest is {size}",
        small().count(),
        sides.count()
    );
    Some(Finding::new(
        FindingKind::Enlarged,
        message,
        vec![cases.file(item)],
    ))
}

/// The right extension for the content's format, if the file has another one.
fn extension_should_be(path: &Path, format: ImageFormat) -> Option<&'static str> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    let fits = match format {
        ImageFormat::Jpeg => matches!(extension.as_str(), "jpg" | "jpeg" | "jpe" | "jfif"),
        ImageFormat::Tiff => matches!(extension.as_str(), "tif" | "tiff"),
        _ => format.extensions_str().contains(&extension.as_str()),
    };
    (!fits).then(|| format.to_mime_type())
}

/// Copies and look-alikes.
pub(super) fn groups(cases: &Cases, exams: &[Exam]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut by_hash: HashMap<[u8; 16], Vec<usize>> = HashMap::new();
    for (item, exam) in exams.iter().enumerate() {
        // All empty files are equal, which means nothing.
        if exam.problem != Some(ImageProblem::Empty)
            && let Some(hash) = exam.hash
        {
            by_hash.entry(hash).or_default().push(item);
        }
    }
    let mut copies: Vec<Vec<usize>> = by_hash.into_values().filter(|g| g.len() > 1).collect();
    copies.sort_unstable();
    // Among look-alikes, one copy represents all.
    let mut copy = vec![false; exams.len()];
    for group in &copies {
        for &item in group.iter().skip(1) {
            copy[item] = true;
        }
        findings.extend(copies_findings(cases, group));
    }
    let looks: Vec<Option<&Look>> = exams
        .iter()
        .zip(&copy)
        .map(|(exam, copy)| exam.look.as_ref().filter(|_| !copy))
        .collect();
    for (leader, members) in similar::groups(&looks) {
        let mut group = vec![leader];
        group.extend(members.iter().map(|(item, _)| *item));
        let kinds = kinds_of(
            cases,
            &group,
            FindingKind::NearDuplicateAcrossSplits,
            FindingKind::NearDuplicateUnderTwoLabels,
            FindingKind::NearDuplicate,
        );
        let mut files = vec![cases.file(leader)];
        for (item, likeness) in members {
            files.push(FoundFile {
                likeness: Some(likeness),
                ..cases.file(item)
            });
        }
        let least = files.iter().filter_map(|f| f.likeness).fold(1.0, f32::min);
        let message = format!(
            "{} files look alike (lowest likeness {least:.4})",
            files.len()
        );
        let finding = |kind| Finding::new(kind, message.clone(), files.clone());
        findings.extend(kinds.into_iter().map(finding));
    }
    findings
}

/// The finding kinds of a group: across parts, under two labels, or both; otherwise a plain
/// duplicate. The label of a test image is not known.
fn kinds_of(
    cases: &Cases,
    group: &[usize],
    across: FindingKind,
    two_labels: FindingKind,
    plain: FindingKind,
) -> Vec<FindingKind> {
    let mut labels = group.iter().filter_map(|&item| cases.all[item].label);
    let train = |item: &usize| cases.all[*item].split == Some(Split::Train);
    let held_out = |item: &usize| {
        let split = cases.all[*item].split;
        matches!(split, Some(Split::Valid | Split::Test))
    };
    let first = labels.next();
    let mut kinds = Vec::new();
    if group.iter().any(train) && group.iter().any(held_out) {
        kinds.push(across);
    }
    if labels.any(|label| Some(label) != first) {
        kinds.push(two_labels);
    }
    if kinds.is_empty() {
        kinds.push(plain);
    }
    kinds
}

/// The labels, spelled so that they differ if some print alike.
fn told_apart(labels: &[&str]) -> String {
    match alike::groups(labels.iter().copied()).is_empty() {
        true => labels.join(" and "),
        false => labels
            .iter()
            .map(|label| spelled(label))
            .collect::<Vec<_>>()
            .join(" and "),
    }
}

fn copies_findings(cases: &Cases, group: &[usize]) -> Vec<Finding> {
    let mut files: Vec<FoundFile> = group.iter().map(|&item| cases.file(item)).collect();
    let mut labels: Vec<&str> = files.iter().filter_map(|f| f.label.as_deref()).collect();
    labels.sort_unstable();
    labels.dedup();
    let several = labels.len() > 1;
    let under = match several {
        true => format!(", labeled {}", told_apart(&labels)),
        false => String::new(),
    };
    let message = format!("{} files with the same content{under}", files.len());
    let kinds = kinds_of(
        cases,
        group,
        FindingKind::DuplicateAcrossSplits,
        FindingKind::DuplicateUnderTwoLabels,
        FindingKind::Duplicate,
    );
    // If the labels differ, the right one is unknown, so no file is kept. Otherwise one copy stays,
    // a validation or test image if there is one, so that results stay comparable.
    let keep = files
        .iter()
        .position(|file| file.split.is_some_and(|split| split != Split::Train))
        .unwrap_or(0);
    // A file that is listed twice is one file.
    let kept = files.get(keep).map(|file| file.path.clone());
    for file in &mut files {
        file.quarantine = several || Some(&file.path) != kept.as_ref();
    }
    let finding = |kind| Finding::new(kind, message.clone(), files.clone());
    kinds.into_iter().map(finding).collect()
}

impl Finding {
    pub(super) fn new(kind: FindingKind, message: String, files: Vec<FoundFile>) -> Self {
        Self {
            severity: kind.severity(),
            kind,
            message,
            advice: kind.advice(),
            files,
        }
    }
}
