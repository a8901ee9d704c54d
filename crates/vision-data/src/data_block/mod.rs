//! The data block: files, then a split, then labels, then transforms, then batches.
//!
//! Each step is a type that offers only the steps that may follow, so that steps in a wrong order do
//! not compile. The factories of [`ImageDataBunch`](crate::ImageDataBunch) are shortcuts for these steps.
//!
//! | step | type | made by |
//! |---|---|---|
//! | files | [`ImageList`] | `from_folder`, `from_csv`, `from_df`, `from_files`, `from_source`, and filters |
//! | split | [`SplitList`] | [`ImageList::split`], and `split_by_..` |
//! | labels | [`LabelLists`] | `label_from_folder`, `label_from_df`, `label_from_re`, `label_from_func`, `label_from_list` |
//! | options | [`ImageDataBunchBuilder`](crate::ImageDataBunchBuilder) | [`LabelLists::transform`] or [`LabelLists::databunch`] |
//! | data | [`ImageDataBunch`](crate::ImageDataBunch) | [`build`](crate::ImageDataBunchBuilder::build) |
//!
//! ```
//! use vision_data::{FileColumn, CsvOptions, ImageList, LabelOptions, TargetKind, get_transforms};
//! # use vision_data::Image;
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path();
//! # for i in 1..=10 {
//! #     let image = Image::from_rgb8(4, 4, vec![0; 48])?.into_rgb_image();
//! #     image.save(path.join(format!("{i}.png"))).unwrap();
//! # }
//! # let rows: String = (1..=10).map(|i| format!("{i},haze road\n")).collect();
//! # std::fs::write(path.join("labels.csv"), format!("image,tags\n{rows}")).unwrap();
//! let data = ImageList::from_csv(
//!         path,
//!         "labels.csv",
//!         &CsvOptions::new(),
//!         &FileColumn::new("image").with_suffix(".png"),
//!     )?
//!     .split_by_rand_pct(0.2, 42)?
//!     .label_with(LabelOptions::new().with_delimiter(" "))
//!     .label_from_df(["tags"])?
//!     .transform(get_transforms())
//!     .size(4)
//!     .batch_size(4)
//!     .build()?;
//! assert_eq!(data.kind(), TargetKind::MultiCategory);
//! assert_eq!(data.classes(), ["haze", "road"]);
//! # Ok::<(), vision_data::Error>(())
//! ```
//!
//! Labeling before the split does not compile:
//!
//! ```compile_fail,E0599
//! # use vision_data::ImageList;
//! ImageList::from_folder("pets")?.label_from_folder()?;
//! # Ok::<(), vision_data::Error>(())
//! ```
//!
//! Neither does building batches from unlabeled or unsplit images:
//!
//! ```compile_fail,E0599
//! # use vision_data::ImageList;
//! ImageList::from_folder("pets")?.split_none()?.databunch();
//! # Ok::<(), vision_data::Error>(())
//! ```
//!
//! ```compile_fail,E0599
//! # use vision_data::ImageList;
//! ImageList::from_folder("pets")?.databunch();
//! # Ok::<(), vision_data::Error>(())
//! ```
//!
//! Neither do transforms before the labels, nor a second split:
//!
//! ```compile_fail,E0599
//! # use vision_data::{ImageList, get_transforms};
//! ImageList::from_folder("pets")?.split_none()?.transform(get_transforms());
//! # Ok::<(), vision_data::Error>(())
//! ```
//!
//! ```compile_fail,E0599
//! # use vision_data::ImageList;
//! ImageList::from_folder("pets")?.split_none()?.split_none()?;
//! # Ok::<(), vision_data::Error>(())
//! ```

pub(crate) mod file_column;
pub(crate) mod image_list;
pub(crate) mod label_lists;
pub(crate) mod labeled;
pub(crate) mod split_list;
