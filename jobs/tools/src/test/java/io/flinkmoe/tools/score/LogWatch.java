// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.core.LogEvent;
import org.apache.logging.log4j.core.LoggerContext;
import org.apache.logging.log4j.core.appender.AbstractAppender;
import org.apache.logging.log4j.core.config.LoggerConfig;
import org.apache.logging.log4j.core.config.Property;

/** Looks for texts in all that is logged, at every level, while it is open. */
final class LogWatch extends AbstractAppender implements AutoCloseable {

    private final String[] texts;
    private final List<String> found = new CopyOnWriteArrayList<>();
    private final AtomicLong lines = new AtomicLong();

    private LogWatch(String[] texts) {
        super("log-watch", null, null, false, Property.EMPTY_ARRAY);
        this.texts = texts;
    }

    static LogWatch forTexts(String... texts) {
        LogWatch watch = new LogWatch(texts);
        watch.start();
        LoggerContext context = context();
        LoggerConfig root = context.getConfiguration().getRootLogger();
        root.getAppenders().keySet().forEach(root::removeAppender); // They would be flooded.
        root.addAppender(watch, Level.ALL, null);
        root.setLevel(Level.ALL);
        context.updateLoggers();
        return watch;
    }

    /** The lines that have one of the texts, with their loggers. */
    List<String> found() {
        return List.copyOf(found);
    }

    /** How many lines were looked at. */
    long lines() {
        return lines.get();
    }

    @Override
    public void append(LogEvent event) {
        lines.incrementAndGet();
        StringWriter line = new StringWriter();
        line.append(event.getLoggerName()).append(": ");
        line.append(event.getMessage().getFormattedMessage());
        if (event.getThrown() != null) {
            event.getThrown().printStackTrace(new PrintWriter(line, true));
        }
        for (String text : texts) {
            if (line.toString().contains(text)) {
                found.add(line.toString());
            }
        }
    }

    /** The log is as it was. */
    @Override
    public void close() {
        context().reconfigure();
        stop();
    }

    private static LoggerContext context() {
        return (LoggerContext) LogManager.getContext(false);
    }
}
