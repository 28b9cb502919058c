package io.lindorm.flink.source;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.table.api.DataTypes;
import org.junit.jupiter.api.Test;

class LindormTypeTest {

    @Test
    void aTypeIsReadWholeOrRefused() throws Exception {
        JsonNode cases = new ObjectMapper()
                .readTree(Path.of("../../tests/data/column-types.json").toFile());
        cases.get("accepted").fieldNames().forEachRemaining(LindormType::flinkType);
        assertTrue(cases.get("refused").size() > 10);
        for (JsonNode refused : cases.get("refused")) {
            assertThrows(
                    IllegalArgumentException.class, () -> LindormType.flinkType(refused.asText()), refused.asText());
        }
    }

    @Test
    void keysMustBeDeclaredWithoutLoss() {
        assertTrue(LindormType.keepsKeys(DataTypes.BIGINT().getLogicalType(), "INT"));
        assertTrue(!LindormType.keepsKeys(DataTypes.INT().getLogicalType(), "BIGINT"));
        assertTrue(!LindormType.keepsKeys(DataTypes.TIMESTAMP_LTZ(0).getLogicalType(), "TIMESTAMP"));
        assertTrue(!LindormType.keepsKeys(DataTypes.DECIMAL(10, 1).getLogicalType(), "DECIMAL(10,2)"));
        assertTrue(!LindormType.keepsKeys(DataTypes.STRING().getLogicalType(), "BIGINT"));
        assertTrue(LindormType.keepsKeys(DataTypes.DECIMAL(20, 0).getLogicalType(), "bigint unsigned"));
    }
}
