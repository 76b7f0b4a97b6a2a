// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import java.lang.reflect.Proxy;
import java.net.URL;
import java.net.URLClassLoader;
import org.apache.flink.api.common.functions.RuntimeContext;

/** A job, as far as a bundle asks: its class loader, and a hook for when that is released. */
final class JobInProcess {

    private final ClassLoader loader = new URLClassLoader(new URL[0]);
    private Runnable hook = () -> {};

    RuntimeContext context() {
        return (RuntimeContext)
                Proxy.newProxyInstance(
                        RuntimeContext.class.getClassLoader(),
                        new Class<?>[] {RuntimeContext.class},
                        (proxy, method, arguments) -> {
                            if (method.getName().equals("getUserCodeClassLoader")) {
                                return loader;
                            }
                            hook = (Runnable) arguments[1];
                            return null;
                        });
    }

    void leave() {
        hook.run();
    }
}
