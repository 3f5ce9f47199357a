//! Versions of registered models.

use std::collections::HashMap;

use super::registered_models::aliases;
use super::search::{Noun, Query, Selection};
use super::values;
use crate::StoreError;
use crate::database::{Database, Row, Value};
use crate::tracking::{DELETED_VERSION, KeyValue, RegisteredVersion};
use crate::work::{Recorded, View};

const COLUMNS: &str = "model, version, description, created_ms, updated_ms, user_id, stage, source, storage_location, run_id, run_link, model_id";

fn read(row: &mut Row) -> Result<RegisteredVersion, StoreError> {
    Ok(RegisteredVersion {
        model: row.text(0)?,
        version: row.integer(1)?,
        description: row.text(2)?,
        created_ms: row.integer(3)?,
        updated_ms: row.integer(4)?,
        user_id: row.text(5)?,
        stage: row.text(6)?,
        source: row.text(7)?,
        storage_location: row.text(8)?,
        run_id: row.text(9)?,
        run_link: row.text(10)?,
        model_id: row.text_or_null(11)?,
        tags: Vec::new(),
        aliases: Vec::new(),
    })
}

fn complete(
    db: &Database,
    mut versions: Vec<RegisteredVersion>,
) -> Result<Vec<RegisteredVersion>, StoreError> {
    let mut names: Vec<String> = versions
        .iter()
        .map(|version| version.model.clone())
        .collect();
    names.sort_unstable();
    names.dedup();
    let names: Vec<Value<'_>> = names.into_iter().map(Value::from).collect();
    let sql = "SELECT model, version, name, value FROM model_version_tags WHERE model IN ({}) ORDER BY model, version, name";
    let mut tags: HashMap<(String, i64), Vec<KeyValue>> = HashMap::new();
    values::for_each_of(db, sql, &names, &mut |mut row| {
        let tag = (row.text(2)?, row.text(3)?);
        tags.entry((row.text(0)?, row.integer(1)?))
            .or_default()
            .push(tag);
        Ok(())
    })?;
    let aliases = aliases(db, &names)?;
    for version in &mut versions {
        version.tags = tags
            .remove(&(version.model.clone(), version.version))
            .unwrap_or_default();
        let known = aliases.get(&version.model).into_iter().flatten();
        version.aliases = known
            .filter(|(_, of)| *of == version.version)
            .map(|(alias, _)| alias.clone())
            .collect();
    }
    Ok(versions)
}

impl View<'_> {
    /// Returns a version that was not deleted.
    pub fn model_version(
        &self,
        model: &str,
        version: i64,
    ) -> Result<Option<RegisteredVersion>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM model_versions WHERE model = $1 AND version = $2 AND stage != '{DELETED_VERSION}'"
        );
        let found = self
            .db
            .row(&sql, &[model.into(), version.into()])?
            .map(|mut row| read(&mut row))
            .transpose()?;
        Ok(complete(self.db, found.into_iter().collect())?.pop())
    }

    /// Returns every version of these models, by model and version; deleted ones only when asked for.
    pub fn versions_of(
        &self,
        models: &[String],
        with_deleted: bool,
    ) -> Result<Vec<RegisteredVersion>, StoreError> {
        let names: Vec<Value<'_>> = models.iter().map(Value::from).collect();
        let sql = format!(
            "SELECT {COLUMNS} FROM model_versions WHERE model IN ({{}}) ORDER BY model, version"
        );
        let mut found = Vec::new();
        values::for_each_of(self.db, &sql, &names, &mut |mut row| {
            let version = read(&mut row)?;
            if with_deleted || version.stage != DELETED_VERSION {
                found.push(version);
            }
            Ok(())
        })?;
        complete(self.db, found)
    }

    /// Returns the versions that a search finds.
    pub fn search_model_versions(
        &self,
        query: &Query,
        selection: Selection,
    ) -> Result<Vec<RegisteredVersion>, StoreError> {
        let mut statement = self.statement(Noun::ModelVersions);
        statement
            .conditions
            .push(format!("t.stage != '{DELETED_VERSION}'"));
        let found = statement
            .rows(COLUMNS, query, selection)?
            .iter_mut()
            .map(read)
            .collect::<Result<_, _>>()?;
        complete(self.db, found)
    }

    /// Returns the versions made by a run or of a logged model.
    pub fn versions_from(
        &self,
        run_id: &str,
        model_ids: &[String],
    ) -> Result<Vec<RegisteredVersion>, StoreError> {
        let mut places: Vec<Value<'_>> = vec![run_id.into()];
        places.extend(model_ids.iter().map(Value::from));
        let list: Vec<String> = (2..=places.len())
            .map(|place| format!("${place}"))
            .collect();
        let list = if list.is_empty() {
            "NULL".to_owned()
        } else {
            list.join(", ")
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM model_versions WHERE stage != '{DELETED_VERSION}' AND (run_id = $1 OR model_id IN ({list}))
             ORDER BY model, version"
        );
        self.db.rows(&sql, &places)?.iter_mut().map(read).collect()
    }

    /// Returns the version whose files are at a location, or in a folder above it or below it.
    pub fn version_at(&self, location: &str) -> Result<Option<RegisteredVersion>, StoreError> {
        let folders = location
            .char_indices()
            .filter(|(_, character)| *character == '/')
            .map(|(end, _)| location[..end].to_owned());
        let places: Vec<Value<'_>> = folders
            .chain([location.to_owned()])
            .map(Value::from)
            .collect();
        let sql = format!(
            "SELECT {COLUMNS} FROM model_versions WHERE storage_location IN ({{}}) AND stage != '{DELETED_VERSION}' ORDER BY model, version"
        );
        let mut found = None;
        values::for_each_of(self.db, &sql, &places, &mut |mut row| {
            found = Some(read(&mut row)?);
            Ok(())
        })?;
        if found.is_some() {
            return Ok(found);
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM model_versions WHERE storage_location >= $1 AND storage_location < $2
             AND stage != '{DELETED_VERSION}' ORDER BY model, version LIMIT 1"
        );
        let below = [format!("{location}/").into(), format!("{location}0").into()];
        self.db
            .row(&sql, &below)?
            .map(|mut row| read(&mut row))
            .transpose()
    }
}

impl Recorded<'_> {
    /// Adds a version of a registered model with its tags.
    pub fn add_model_version(&self, new: &RegisteredVersion) -> Result<(), StoreError> {
        let row = vec![
            (&new.model).into(),
            new.version.into(),
            (&new.description).into(),
            new.created_ms.into(),
            new.updated_ms.into(),
            (&new.user_id).into(),
            (&new.stage).into(),
            (&new.source).into(),
            (&new.storage_location).into(),
            (&new.run_id).into(),
            (&new.run_link).into(),
            new.model_id.as_ref().into(),
        ];
        self.db.insert(
            &format!("INSERT INTO model_versions ({COLUMNS})"),
            "",
            &[row],
        )?;
        self.set_model_version_tags(&new.model, new.version, &new.tags)
    }

    /// Changes description, stage and time of a version, and where it came from when it is deleted.
    pub fn change_model_version(&self, version: &RegisteredVersion) -> Result<(), StoreError> {
        let sql = "UPDATE model_versions SET description = $1, stage = $2, updated_ms = $3, source = $4, storage_location = $5,
                   run_id = $6, run_link = $7, user_id = $8, model_id = $9 WHERE model = $10 AND version = $11";
        let values = [
            (&version.description).into(),
            (&version.stage).into(),
            version.updated_ms.into(),
            (&version.source).into(),
            (&version.storage_location).into(),
            (&version.run_id).into(),
            (&version.run_link).into(),
            (&version.user_id).into(),
            version.model_id.as_ref().into(),
            (&version.model).into(),
            version.version.into(),
        ];
        self.db.execute(sql, &values).map(|_| ())
    }

    /// Removes the aliases and tags of a version.
    pub fn clear_model_version(&self, version: &RegisteredVersion) -> Result<(), StoreError> {
        for table in ["registered_model_aliases", "model_version_tags"] {
            let sql = format!("DELETE FROM {table} WHERE model = $1 AND version = $2");
            self.db
                .execute(&sql, &[(&version.model).into(), version.version.into()])?;
        }
        Ok(())
    }

    /// Sets tags of a version.
    pub fn set_model_version_tags(
        &self,
        model: &str,
        version: i64,
        tags: &[KeyValue],
    ) -> Result<(), StoreError> {
        values::set(
            self.db,
            "model_version_tags",
            "model, version",
            &[model.into(), version.into()],
            tags,
        )
    }

    /// Removes a tag of a version.
    pub fn remove_model_version_tag(
        &self,
        model: &str,
        version: i64,
        name: &str,
    ) -> Result<bool, StoreError> {
        let values = [model.into(), version.into(), name.into()];
        values::remove(
            self.db,
            "model_version_tags",
            "model = $1 AND version = $2 AND name = $3",
            &values,
        )
    }
}
