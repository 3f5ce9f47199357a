//! Registered models with their tags and aliases.

use super::search::{Noun, Query, Selection};
use super::values::{self, Owner};
use crate::StoreError;
use crate::database::{Database, Row, Value};
use crate::tracking::{KeyValue, RegisteredModel};
use crate::work::{Recorded, View};

const COLUMNS: &str = "name, description, created_ms, updated_ms, last_version";
/// Tables that name a model, and the column that does.
const OWNED: [(&str, &str); 4] = [
    ("registered_model_tags", "model"),
    ("registered_model_aliases", "model"),
    ("model_version_tags", "model"),
    ("model_versions", "model"),
];

fn read(row: &mut Row) -> Result<RegisteredModel, StoreError> {
    Ok(RegisteredModel {
        name: row.text(0)?,
        description: row.text(1)?,
        created_ms: row.integer(2)?,
        updated_ms: row.integer(3)?,
        last_version: row.integer(4)?,
        tags: Vec::new(),
        aliases: Vec::new(),
    })
}

/// Returns the aliases of models, by model and alias.
pub(super) fn aliases(
    db: &Database,
    models: &[Value<'_>],
) -> Result<std::collections::HashMap<String, Vec<(String, i64)>>, StoreError> {
    let sql = "SELECT model, alias, version FROM registered_model_aliases WHERE model IN ({}) ORDER BY model, alias";
    let mut found: std::collections::HashMap<String, Vec<(String, i64)>> =
        std::collections::HashMap::new();
    values::for_each_of(db, sql, models, &mut |mut row| {
        let alias = (row.text(1)?, row.integer(2)?);
        found.entry(row.text(0)?).or_default().push(alias);
        Ok(())
    })?;
    Ok(found)
}

fn complete(
    db: &Database,
    mut models: Vec<RegisteredModel>,
) -> Result<Vec<RegisteredModel>, StoreError> {
    let names: Vec<Value<'_>> = models
        .iter()
        .map(|model| model.name.clone().into())
        .collect();
    let mut tags = values::by_owner(db, "registered_model_tags", "model", &names)?;
    let mut aliases = aliases(db, &names)?;
    for model in &mut models {
        model.tags = tags
            .remove(&Owner::Name(model.name.clone()))
            .unwrap_or_default();
        model.aliases = aliases.remove(&model.name).unwrap_or_default();
    }
    Ok(models)
}

impl View<'_> {
    /// Returns the registered model with that name; `None` when there is none.
    pub fn registered_model(&self, name: &str) -> Result<Option<RegisteredModel>, StoreError> {
        let row = self.db.row(
            &format!("SELECT {COLUMNS} FROM registered_models WHERE name = $1"),
            &[name.into()],
        )?;
        let found = row.map(|mut row| read(&mut row)).transpose()?;
        Ok(complete(self.db, found.into_iter().collect())?.pop())
    }

    /// Returns the name of every registered model with the numbers of its versions.
    pub fn registered_names(&self) -> Result<Vec<(String, Vec<i64>)>, StoreError> {
        let mut found = Vec::new();
        for mut row in self
            .db
            .rows("SELECT name FROM registered_models ORDER BY name", &[])?
        {
            let name = row.text(0)?;
            let rows = self.db.rows(
                "SELECT version FROM model_versions WHERE model = $1 ORDER BY version",
                &[(&name).into()],
            )?;
            let versions = rows
                .iter()
                .map(|row| row.integer(0))
                .collect::<Result<_, _>>()?;
            found.push((name, versions));
        }
        Ok(found)
    }

    /// Returns the registered models that a search finds.
    pub fn search_registered_models(
        &self,
        query: &Query,
        selection: Selection,
    ) -> Result<Vec<RegisteredModel>, StoreError> {
        let found = self
            .statement(Noun::RegisteredModels)
            .rows(COLUMNS, query, selection)?;
        let found = found
            .into_iter()
            .map(|mut row| read(&mut row))
            .collect::<Result<_, _>>()?;
        complete(self.db, found)
    }
}

impl Recorded<'_> {
    /// Adds a registered model with its tags.
    pub fn add_registered_model(&self, new: &RegisteredModel) -> Result<(), StoreError> {
        let row = vec![
            (&new.name).into(),
            (&new.description).into(),
            new.created_ms.into(),
            new.updated_ms.into(),
            new.last_version.into(),
        ];
        self.db.insert(
            &format!("INSERT INTO registered_models ({COLUMNS})"),
            "",
            &[row],
        )?;
        self.set_registered_model_tags(&new.name, &new.tags)
    }

    /// Changes description, time and last version of a registered model.
    pub fn change_registered_model(&self, model: &RegisteredModel) -> Result<(), StoreError> {
        let sql = "UPDATE registered_models SET description = $1, updated_ms = $2, last_version = $3 WHERE name = $4";
        let values = [
            (&model.description).into(),
            model.updated_ms.into(),
            model.last_version.into(),
            (&model.name).into(),
        ];
        self.db.execute(sql, &values).map(|_| ())
    }

    /// Gives a registered model another name, everywhere.
    pub fn rename_registered_model(&self, name: &str, new_name: &str) -> Result<(), StoreError> {
        for (table, column) in OWNED.into_iter().chain([("registered_models", "name")]) {
            let sql = format!("UPDATE {table} SET {column} = $1 WHERE {column} = $2");
            self.db.execute(&sql, &[new_name.into(), name.into()])?;
        }
        Ok(())
    }

    /// Removes a registered model with all its versions.
    pub fn remove_registered_model(&self, name: &str) -> Result<(), StoreError> {
        for (table, column) in OWNED.into_iter().chain([("registered_models", "name")]) {
            self.db.execute(
                &format!("DELETE FROM {table} WHERE {column} = $1"),
                &[name.into()],
            )?;
        }
        Ok(())
    }

    /// Sets tags of a registered model.
    pub fn set_registered_model_tags(
        &self,
        name: &str,
        tags: &[KeyValue],
    ) -> Result<(), StoreError> {
        values::set(
            self.db,
            "registered_model_tags",
            "model",
            &[name.into()],
            tags,
        )
    }

    /// Removes a tag of a registered model.
    pub fn remove_registered_model_tag(&self, model: &str, name: &str) -> Result<bool, StoreError> {
        values::remove(
            self.db,
            "registered_model_tags",
            "model = $1 AND name = $2",
            &[model.into(), name.into()],
        )
    }

    /// Points an alias at a version.
    pub fn set_alias(&self, model: &str, alias: &str, version: i64) -> Result<(), StoreError> {
        let head = "INSERT INTO registered_model_aliases (model, alias, version)";
        let tail = "ON CONFLICT (model, alias) DO UPDATE SET version = excluded.version";
        self.db
            .insert(
                head,
                tail,
                &[vec![model.into(), alias.into(), version.into()]],
            )
            .map(|_| ())
    }

    /// Removes an alias of a registered model; returns whether it was there.
    pub fn remove_alias(&self, model: &str, alias: &str) -> Result<bool, StoreError> {
        values::remove(
            self.db,
            "registered_model_aliases",
            "model = $1 AND alias = $2",
            &[model.into(), alias.into()],
        )
    }
}
