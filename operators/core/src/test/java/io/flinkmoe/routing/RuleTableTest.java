// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RuleTableTest {

    private static final List<String> EXPERTS = List.of("fuel", "retail", "2");

    @TempDir private Path folder;

    @Test
    void aLineIsAValueAndAnExpert() throws Exception {
        assertThat(read("\ufeffsegment,expert\r\nf,fuel\r\n\r\n\"a, \"\"b\"\"\",retail\r\n R ,2"))
                .isEqualTo(Map.of("f", "fuel", "a, \"b\"", "retail", " R ", "2"));
        assertThat(read("\"x\",\"fuel\"\n")).isEqualTo(Map.of("x", "fuel"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "f,fuel;acme | line 2 is 'acme'; expected VALUE,EXPERT",
                "a,fuel,x | line 1 is 'a,fuel,x'; expected VALUE,EXPERT",
                "f,fuel;\"a,fuel | line 2 is '\"a,fuel'; expected VALUE,EXPERT",
                "\"a\"b,fuel | line 1 is '\"a\"b,fuel'; expected VALUE,EXPERT",
                "a,  | line 1 is 'a,'; expected VALUE,EXPERT",
                "f,fuel;x,expert | line 2 has the expert 'expert', which is not there; allowed: [fuel, retail, 2]",
                "a,fuel;b,retail;;a,2 | line 4 has the value 'a', which line 1 has; list each value once",
                "value,expert | it has no line; expected VALUE,EXPERT in each"
            })
    void aWrongLineIsNamed(String lines, String message) {
        assertThatThrownBy(() -> read(lines.replace(';', '\n')))
                .isInstanceOf(RuleTable.WrongTableException.class)
                .hasMessage(message);
    }

    @Test
    void otherEncodingsAreRefused() throws Exception {
        Path file =
                Files.write(
                        folder.resolve("t.csv"), "é,fuel".getBytes(StandardCharsets.ISO_8859_1));

        assertThatThrownBy(() -> RuleTable.read(file, EXPERTS))
                .hasMessage("it is not UTF-8; save it in UTF-8");
    }

    private Map<String, String> read(String lines) throws Exception {
        return RuleTable.read(Files.writeString(folder.resolve("t.csv"), lines), EXPERTS);
    }
}
