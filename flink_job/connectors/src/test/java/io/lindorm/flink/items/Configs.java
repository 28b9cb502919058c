package io.lindorm.flink.items;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;

/** Job configs for tests. */
final class Configs {

    /** The pieces of a job config that tests vary. */
    static final class Builder {
        private final List<Map<String, Object>> primaryKey = new ArrayList<>();
        private final List<Map<String, Object>> attributes = new ArrayList<>();
        private final List<Map<String, Object>> columns = new ArrayList<>();
        private final Map<String, Object> key = new LinkedHashMap<>();
        private final Map<String, Object> target = new LinkedHashMap<>();
        private String path = "file:///nowhere";
        private long maxRejects = 1000;
        private Integer maxObjects;

        Builder primaryKey(String... columns) {
            for (String column : columns) {
                primaryKey.add(Map.of("name", column, "order", "ASC"));
            }
            return this;
        }

        /** A column's type as Lindorm has it. */
        Builder lindormType(String column, String type) {
            columns.add(Map.of("name", column, "type", type));
            return this;
        }

        Builder attribute(String column, String name, String as) {
            attributes.add(Map.of("column", column, "name", name, "as", as));
            return this;
        }

        Builder partition(String name, String type, String template) {
            key.put("partition", Map.of("name", name, "type", type, "template", template));
            return this;
        }

        Builder sort(String name, String type, String template) {
            key.put("sort", Map.of("name", name, "type", type, "template", template));
            return this;
        }

        Builder indexKey(String name, String type, String role) {
            target.put("indexKeys", List.of(Map.of("index", "by", "name", name, "type", type, "role", role)));
            return this;
        }

        Builder shards(int shards) {
            target.put("partitionShards", shards);
            return this;
        }

        Builder nulls(String nulls) {
            target.put("nulls", nulls);
            return this;
        }

        Builder path(String path) {
            this.path = path;
            return this;
        }

        /** The job writes files, and at most so many. */
        Builder files(int maxObjects) {
            this.maxObjects = maxObjects;
            return this;
        }

        Builder maxRejects(long max) {
            this.maxRejects = max;
            return this;
        }

        String json() {
            Map<String, Object> all = new LinkedHashMap<>();
            all.put("version", maxObjects == null ? 1 : 2);
            if (maxObjects != null) {
                Map<String, Object> load =
                        new LinkedHashMap<>(Map.of("method", "ImportTable", "maxObjects", maxObjects));
                load.put("items", path + "/items/");
                load.put("manifest", path + "/result/manifest.jsonl");
                all.put("load", load);
            }
            all.put("import", Map.of("namespace", "default", "name", "n", "uid", "u", "runId", "r1"));
            all.put("source", Map.of("table", "t", "columns", columns, "primaryKey", primaryKey, "later", "ignored"));
            Map<String, Object> whole =
                    new LinkedHashMap<>(Map.of("region", "us-west-2", "table", "t", "nulls", "Omit"));
            whole.put("key", key);
            whole.put("attributes", attributes);
            whole.putAll(target);
            all.put("target", whole);
            all.put("rejects", Map.of("path", path + "/rejects/", "max", maxRejects));
            all.put("result", Map.of("path", path + "/result/result.json"));
            try {
                return new ObjectMapper().writeValueAsString(all);
            } catch (java.io.IOException e) {
                throw new IllegalStateException(e);
            }
        }

        JobConfig build() {
            return JobConfig.parse(json());
        }
    }

    private Configs() {}

    static Builder config() {
        return new Builder();
    }
}
