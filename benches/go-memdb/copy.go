package main

// Deep copies: everything but the bytes of texts, which cannot change, is made anew.

func (from *task) copied() *task {
	to := *from
	to.meta = from.meta.copied()
	to.spec = from.spec.copied()
	to.specVersion = from.specVersion.copied()
	to.annotations = from.annotations.copied()
	to.serviceAnnotations = from.serviceAnnotations.copied()
	to.status = from.status.copied()
	if from.networks != nil {
		to.networks = make([]*networkAttachment, len(from.networks))
		for at, one := range from.networks {
			to.networks[at] = one.copied()
		}
	}
	to.logDriver = from.logDriver.copied()
	to.jobIteration = from.jobIteration.copied()
	if from.volumes != nil {
		to.volumes = make([]*volumeAttachment, len(from.volumes))
		for at, one := range from.volumes {
			volume := *one
			to.volumes[at] = &volume
		}
	}
	return &to
}

func (from *meta) copied() meta {
	return meta{
		version:   from.version,
		createdAt: from.createdAt.copied(),
		updatedAt: from.updatedAt.copied(),
	}
}

func (from *timestamp) copied() *timestamp {
	if from == nil {
		return nil
	}
	to := *from
	return &to
}

func (from *objectVersion) copied() *objectVersion {
	if from == nil {
		return nil
	}
	to := *from
	return &to
}

func (from *annotations) copied() annotations {
	to := *from
	to.labels = copiedMap(from.labels)
	if from.indices != nil {
		to.indices = append([]indexEntry{}, from.indices...)
	}
	return to
}

func (from *driver) copied() *driver {
	if from == nil {
		return nil
	}
	return &driver{name: from.name, options: copiedMap(from.options)}
}

func (from *taskSpec) copied() taskSpec {
	to := *from
	if of, is := from.runtime.(*containerRuntime); is {
		to.runtime = &containerRuntime{container: of.container.copied()}
	}
	to.logDriver = from.logDriver.copied()
	if from.networks != nil {
		to.networks = make([]*attachmentConfig, len(from.networks))
		for at, one := range from.networks {
			to.networks[at] = one.copied()
		}
	}
	return to
}

func (from *containerSpec) copied() *containerSpec {
	to := *from
	to.labels = copiedMap(from.labels)
	to.command = copiedTexts(from.command)
	to.args = copiedTexts(from.args)
	to.env = copiedTexts(from.env)
	to.groups = copiedTexts(from.groups)
	if from.secrets != nil {
		to.secrets = make([]*secretReference, len(from.secrets))
		for at, one := range from.secrets {
			secret := *one
			secret.target = copiedTarget(one.target)
			to.secrets[at] = &secret
		}
	}
	if from.configs != nil {
		to.configs = make([]*configReference, len(from.configs))
		for at, one := range from.configs {
			config := *one
			config.target = copiedTarget(one.target)
			to.configs[at] = &config
		}
	}
	to.hosts = copiedTexts(from.hosts)
	to.sysctls = copiedMap(from.sysctls)
	to.capabilityAdd = copiedTexts(from.capabilityAdd)
	to.capabilityDrop = copiedTexts(from.capabilityDrop)
	return &to
}

func copiedTarget(from referenceTarget) referenceTarget {
	if of, is := from.(*fileReference); is {
		file := *of.file
		return &fileReference{file: &file}
	}
	return from
}

func (from *attachmentConfig) copied() *attachmentConfig {
	to := *from
	to.aliases = copiedTexts(from.aliases)
	to.addresses = copiedTexts(from.addresses)
	to.options = copiedMap(from.options)
	return &to
}

func (from *taskStatus) copied() taskStatus {
	to := *from
	to.timestamp = from.timestamp.copied()
	if of, is := from.runtime.(*containerStatusOf); is {
		container := *of.container
		to.runtime = &containerStatusOf{container: &container}
	}
	to.appliedAt = from.appliedAt.copied()
	return to
}

func (from *networkAttachment) copied() *networkAttachment {
	to := *from
	to.network = from.network.copied()
	to.addresses = copiedTexts(from.addresses)
	to.aliases = copiedTexts(from.aliases)
	to.options = copiedMap(from.options)
	return &to
}

func copiedTexts(from []string) []string {
	if from == nil {
		return nil
	}
	to := make([]string, len(from))
	copy(to, from)
	return to
}

func copiedMap(from map[string]string) map[string]string {
	if from == nil {
		return nil
	}
	to := make(map[string]string, len(from))
	for key, value := range from {
		to[key] = value
	}
	return to
}
